/** `flow explain` against a daemon that answers what a test wants; options that are wrong. What needs the kernel is in test/netns. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { filterOf } from '../../../src/cli/capture.js';
import { enhancedPacket, interfaceDescription, sectionHeader } from '../../../src/capture/pcapng.js';
import type { ExplainRequest, Explanation } from '../../../src/control/protocol.js';
import type { Site } from '../../../src/dataplane/site.js';
import { LookupError } from '../../../src/dataplane/site_names.js';
import { run } from '../../support/cli.js';
import { fakeDaemon, temporaryFolder } from '../../support/control_socket.js';
import { frame } from '../../support/packet_builder.js';
import { needs, testWith } from '../../support/require.js';

const EXPLANATION: Explanation = {
  summary: 'a frame',
  length: 60,
  interface: 'pf0',
  program: 'steer_uplink',
  rx_queue: 0,
  cpu: 0,
  verdict: 'redirect',
  reason: 'redirect_rss',
  reason_text: 'words',
  vnic: 'g1',
  path: 'accelerated',
  target: 'vfp0',
  target_port: 'vf',
  queue: 1,
  handed_to_cpu: null,
  hash: '0x00000001',
  hashed: 'addresses',
  rss_row: 0,
  bucket: 1,
  bucket_queue: 1,
  flow_slot: null,
  learnt: null,
  steered: null,
  draining: false,
  tag: 'kept',
  tag_vlan: 0,
  changes: [],
  steps: [
    { step: 'arrives', text: 'on pf0' },
    { step: 'verdict', text: 'REDIRECT redirect_rss: words' },
  ],
};

test('explain: what is asked, and how the answer is shown', async (t) => {
  const asked: ExplainRequest[] = [];
  const { socket } = await fakeDaemon(t, {
    explain: async (request) => {
      asked.push(request);
      return { explanations: [EXPLANATION] };
    },
  });
  const flow = '--src 10.0.0.1 --dst 10.0.0.2 --sport 1 --dport 2';
  const shown = await run(`-S ${socket} flow explain --vnic g1 ${flow}`);
  t.deepEqual(shown, { code: 0, out: 'arrives   on pf0\nverdict   REDIRECT redirect_rss: words\n', err: '' });
  const json = await run(
    `-j -S ${socket} flow explain --in pf0 --proto udp --smac 02:00:00:00:00:01 --dmac 02:00:00:00:00:02 --vlan 7 ` +
      `--length 100 --rx-queue 3 --cpu 1 ${flow}`,
  );
  t.deepEqual(JSON.parse(json.out), { schema: 1, ...EXPLANATION });
  await run(`-S ${socket} flow explain --vnic g1 --from guest --src ::1 --dst ::2 --proto icmp`);
  await run(`-S ${socket} flow explain --vnic g1 --src 10.0.0.1 --dst 10.0.0.2 --proto 47`);
  t.deepEqual(asked, [
    { vnic: 'g1', flow: { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6, source_port: 1, destination_port: 2 } },
    {
      interface: 'pf0',
      rx_queue: 3,
      cpu: 1,
      flow: {
        source: '10.0.0.1',
        destination: '10.0.0.2',
        protocol: 17,
        source_port: 1,
        destination_port: 2,
        source_mac: '02:00:00:00:00:01',
        destination_mac: '02:00:00:00:00:02',
        vlan: 7,
        length: 100,
      },
    },
    { vnic: 'g1', from: 'guest', flow: { source: '::1', destination: '::2', protocol: 58 } },
    { vnic: 'g1', flow: { source: '10.0.0.1', destination: '10.0.0.2', protocol: 47 } },
  ]);
});

const UDP = frame()
  .ethernet({ from: '02:00:00:00:00:01', to: '02:00:00:00:00:02' })
  .ip('10.0.0.1', '10.0.0.2')
  .udp(1, 2)
  .fillTo(1400)
  .build();

test('explain --pcap: every packet with where it came in, in requests that are not too large', async (t) => {
  const asked: ExplainRequest[] = [];
  const { socket } = await fakeDaemon(t, {
    explain: async (request) => {
      asked.push(request);
      return { explanations: (request.frames ?? []).map(() => EXPLANATION) };
    },
  });
  const file = join(temporaryFolder(t), 'x.pcapng');
  const packet = enhancedPacket({ interface: 0, timeNs: 1n, bytes: UDP, length: 1500 });
  const section = sectionHeader({ hardware: '', os: '', application: '' });
  writeFileSync(file, Buffer.concat([section, interfaceDescription({ name: 'pf0', snaplen: 1 }), ...new Array<Buffer>(400).fill(packet)]));
  const all = await run(`-j -S ${socket} flow explain --pcap ${file}`);
  const documents = all.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { packet: number; cut_short: boolean; reason: string });
  t.deepEqual(
    documents.map((document) => document.packet),
    Array.from({ length: 400 }, (_, i) => i + 1),
  );
  t.true(documents.every(({ cut_short, reason }) => cut_short && reason === 'redirect_rss'));
  t.true(asked.length > 1);
  t.deepEqual(
    asked.flatMap(({ frames }) => frames ?? []),
    new Array(400).fill({ frame: UDP.toString('hex'), interface: 'pf0' }),
  );
  asked.length = 0;
  const one = await run(`-S ${socket} flow explain --pcap ${file} --packet 400 --in vfp0`);
  t.regex(one.out, /^arrives {3}on pf0\nverdict .*\n +\(the file has only 1400 of its 1500 bytes/);
  t.deepEqual(
    asked.map(({ frames, interface: on }) => [frames?.length, frames?.[0]?.interface, on]),
    [[1, null, 'vfp0']],
  );
  t.like(await run(`-S ${socket} flow explain --pcap ${file} --packet 401`), {
    code: 2,
    err: `unipath: ${file} has 400 packets, not 401\n`,
  });
});

const wrong: readonly (readonly [title: string, line: string, code: number, message: RegExp])[] = [
  ['no flow', 'flow explain --vnic g1', 2, /not said which flow\n {2}give --src and --dst, or --pcap FILE/],
  [
    'a protocol that does not exist',
    'flow explain --src 10.0.0.1 --dst 10.0.0.2 --proto upd',
    2,
    /no protocol "upd"\n {2}did you mean "udp"\?/,
  ],
  [
    'a port that is none',
    'flow explain --src 10.0.0.1 --dst 10.0.0.2 --sport 70000',
    2,
    /--sport 70000: not a whole number from 0 to 65535/,
  ],
  ['a VLAN that is none', 'flow explain --src 10.0.0.1 --dst 10.0.0.2 --vlan 4095', 2, /--vlan 4095: not a whole number from 0 to 4094/],
  ['a side that is none', 'flow explain --src 10.0.0.1 --dst 10.0.0.2 --from gest', 2, /no side "gest"\n {2}did you mean "guest"\?/],
  ['a file that is not there', 'flow explain --pcap /nonexistent', 1, /\/nonexistent cannot be read: there is no such file or folder\n$/],
  ['a file that is no capture', `flow explain --pcap ${process.execPath}`, 1, /neither a pcap nor a pcapng file/],
  [
    'no daemon',
    '-S /nonexistent/x.sock flow explain --vnic g1 --src 10.0.0.1 --dst 10.0.0.2',
    3,
    /not reachable: .*\n {2}or name the folder of its pins with --pins/,
  ],
  ['a count that is none', 'capture --count 0', 2, /--count 0: not a whole number from 1/],
  ['a time that is none', 'capture --seconds soon', 2, /--seconds soon: not a number of seconds/],
  ['an order that is none', 'flow top --sort packet', 2, /no order "packet"\n {2}did you mean "packets"\?/],
];

for (const [title, line, code, message] of wrong) {
  test(`refused: ${title}`, async (t) => {
    const seen = await run(line);
    t.is(seen.code, code);
    t.regex(seen.err, message);
    t.is(seen.out, '');
  });
}

const rootTest = testWith(needs.root());

rootTest('without a daemon, and where nothing is pinned', async (t) => {
  for (const command of ['capture', 'flow top --once', 'flow show --vnic g1'])
    t.like(await run(`-S /nonexistent/x.sock ${command}`), { code: 3, out: '' });
  const nothing = await run(`-S /nonexistent/x.sock capture --pins ${temporaryFolder(t)}`);
  t.is(nothing.code, 1);
  t.regex(nothing.err, /nothing is pinned at .*\n {2}start unipathd, or name the folder of its pins with --pins/);
});

test('flow copy: whose, and where to', async (t) => {
  const [from, to] = [await fakeDaemon(t), await fakeDaemon(t)];
  const copy = (words: string) => run(`-S ${from.socket} flow copy ${words} --to ${to.socket}`);
  t.like(await copy('--vnic g1'), { code: 0, out: 'g1: 1 learnt flows\n', err: '' });
  t.deepEqual(JSON.parse((await copy('-j --vnic g1')).out), { schema: 1, vnics: [{ vnic: 'g1', flows: 1, waits: false }], notes: [] });
  t.regex((await copy('--vnic g12')).err, /did you mean "g1"\?/);
  t.like(await copy(''), { code: 2, out: '' });
  t.like(await copy('--vnic g1 --vm web'), { code: 2, out: '' });
  t.is((await run(`-S ${from.socket} flow copy --vnic g1 --to /nonexistent/x.sock`)).code, 3);
  to.controller.vnics = [];
  t.like(await copy('--vnic g1'), { code: 1, out: '', err: 'the other host knows no vNIC with 52:54:00:00:00:01: nothing of g1 was brought there\n' });
});

test('filters: names to numbers, and near names', (t) => {
  const row = { id: 3, name: 'web', mac: '52:54:00:00:00:01', tapIfindex: 7, vfIfindex: 8, uplinkIfindex: 9 };
  const links = new Map([
    [7, 'tap-web'],
    [9, 'pf0'],
    [1, 'lo'],
  ]);
  const site = {
    vnics: [row],
    links,
    pins: { listLinks: () => [7, 9] },
    link: (ifindex: number) => links.get(ifindex) ?? '',
  } as unknown as Site;
  t.like(filterOf(site, { vnic: 'web', interface: 'pf0', reason: 'pass_oversize, redirect_rss', verdict: 'DROP', sample: '8' }), {
    vnic: { id: 3, tapIfindex: 7, vfIfindex: 8 },
    ifindex: 9,
    reasons: ['pass_oversize', 'redirect_rss'],
    verdicts: ['drop'],
    sample: 8,
  });
  t.like(filterOf(site, { vnic: '52:54:00:00:00:01' }), { vnic: { id: 3 }, sample: 1 });
  // The uplink is where the VF is reached, but not where it alone sends.
  t.like(filterOf({ ...site, vnics: [{ ...row, vfIfindex: 9 }] } as unknown as Site, { vnic: 'web' }), { vnic: { vfIfindex: 0 } });
  const refused = (options: object, message: string, hint: string) => {
    const error = t.throws(() => filterOf(site, options), { instanceOf: LookupError, message });
    t.is((error as LookupError).hint, hint);
  };
  refused({ vnic: 'wbe' }, 'there is no vNIC "wbe"', 'did you mean "web"?');
  refused({ interface: 'pf1' }, 'there is no interface "pf1"', 'did you mean "pf0"?');
  refused({ interface: 'lo' }, 'no program of unipath is on lo', 'there are: tap-web, pf0');
  refused({ reason: 'pass_oversized' }, 'there is no reason "pass_oversized"', 'did you mean "pass_oversize"?');
  refused({ verdict: 'reject' }, 'there is no verdict "reject"', 'there are: aborted, drop, pass, tx, redirect');
});

test('explain: what cannot be meant is wrong usage, whoever finds it; what is not here is not', async (t) => {
  let problem = new LookupError('TCP, UDP and SCTP have ports', 'bad_flow', 'give --sport and --dport');
  const { socket } = await fakeDaemon(t, {
    explain: async () => {
      throw problem;
    },
  });
  const line = `-S ${socket} flow explain --vnic g1 --src 10.0.0.1 --dst 10.0.0.2`;
  t.like(await run(line), { code: 2, err: 'unipath: TCP, UDP and SCTP have ports\n  give --sport and --dport\n' });
  problem = new LookupError('there is no vNIC "g1"', 'unknown_vnic', 'there are: g2');
  t.like(await run(line), { code: 1, err: 'unipath: there is no vNIC "g1"\n  there are: g2\n' });
});
