import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { ConfigError, loadConfig, parseConfig } from '../../../src/config/load.js';

const GOOD = `
socket: /run/unipath-a.sock
pins: /sys/fs/bpf/unipath-a
metrics: {listen: 127.0.0.1:9435}
flows_per_vnic: 1024
xdp_mode: native
adapters:
  - name: nic0
    uplink: pf0
    bridge: br0
    limits: {vfs: 8, queues: 64}
    vfs:
      - {port: vfp0, device: vf0}
      - {port: vfp1, device: vf1}
vnics:
  - {name: g1, mac: "52:54:00:00:00:01", adapter: nic0, tap: tap-g1, guest: {netns: up-g1}, policy: software}
  - {name: g2, mac: 52:54:00:00:00:0A, vlan: 7, adapter: nic0, tap: tap-g2, guest: {netns: up-g2}, cut_through: true}
`;

/** The messages for a text that must be refused, file name left out. */
function problems(text: string): string[] {
  try {
    parseConfig(text, 'F');
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return ['no problem'];
}

test('a full file', (t) => {
  const { settings, desired } = parseConfig(GOOD, 'F');
  t.deepEqual(settings, {
    socket: '/run/unipath-a.sock',
    pins: '/sys/fs/bpf/unipath-a',
    metricsListen: { host: '127.0.0.1', port: 9435 },
    flowsPerVnic: 1024,
    rssKey: 'random',
    xdpMode: 'native',
  });
  t.deepEqual(desired.adapters, [
    {
      name: 'nic0',
      uplink: 'pf0',
      bridge: 'br0',
      limits: { vfs: 8, queues: 64 },
      vfs: [
        { port: 'vfp0', device: 'vf0' },
        { port: 'vfp1', device: 'vf1' },
      ],
    },
  ]);
  t.like(desired.vnics[0], { name: 'g1', vlan: 0, policy: 'software', cutThrough: false, guest: { kind: 'netns', netns: 'up-g1' } });
  t.like(desired.vnics[1], { mac: '52:54:00:00:00:0a', vlan: 7, policy: 'accelerated', cutThrough: true });
});

test('defaults', (t) => {
  const { settings, desired } = parseConfig('adapters: [{name: n, uplink: u, bridge: b}]', 'F');
  t.deepEqual(settings, {
    socket: '/run/unipath/unipath.sock',
    pins: '/sys/fs/bpf/unipath',
    metricsListen: null,
    flowsPerVnic: 4096,
    rssKey: 'random',
    xdpMode: 'auto',
  });
  t.deepEqual(desired, { adapters: [{ name: 'n', uplink: 'u', bridge: 'b', limits: { vfs: 254, queues: 2048 }, vfs: [] }], vnics: [] });
});

test('an RSS key is bytes, also when YAML takes its digits for a number', (t) => {
  const key = (text: string): string | Buffer => parseConfig(`rss_key: ${text}`, 'F').settings.rssKey;
  t.is(key('random'), 'random');
  t.is(key('6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa').toString('hex').slice(0, 8), '6d5a56da');
  t.is(key('12345678'.repeat(10)).toString('hex'), '12345678'.repeat(10));
  t.is(key(`${'12345678'.repeat(9)}12e45678`).toString('hex'), `${'12345678'.repeat(9)}12e45678`);
  t.deepEqual(problems('rss_key: 6d5a'), ['F:1:10: rss_key: must be "random" or 80 hexadecimal digits; these are 4 characters']);
  t.deepEqual(problems(`rss_key: "${'0'.repeat(80)}"`), ['F:1:10: rss_key: a key of zeros would put every flow on one queue']);
});

test('where metrics are served', (t) => {
  const listen = (text: string): unknown => parseConfig(`metrics: {listen: "${text}"}`, 'F').settings.metricsListen;
  t.deepEqual(listen('9435'), { host: '127.0.0.1', port: 9435 });
  t.deepEqual(parseConfig('metrics: {listen: 9435}', 'F').settings.metricsListen, { host: '127.0.0.1', port: 9435 });
  t.deepEqual(listen('0.0.0.0:80'), { host: '0.0.0.0', port: 80 });
  t.deepEqual(listen('[::1]:9435'), { host: '::1', port: 9435 });
  for (const bad of ['', 'host', '1.2.3.4:0', '1.2.3.4:70000', '::1:9435']) {
    t.regex(problems(`metrics: {listen: "${bad}"}`)[0] ?? '', /^F:1:19: metrics\.listen: ".*" is not an address and port/, bad);
  }
});

/** A vNIC in a file that is otherwise right. */
const withVnic = (vnic: string): string => `adapters: [{name: nic0, uplink: pf0, bridge: br0}]
vnics:
  # comment
  - ${vnic}
`;
const VNIC = '{name: g1, mac: "52:54:00:00:00:01", adapter: nic0, tap: tap-g1, guest: {netns: up-g1}}';
/** VNIC with one more key. */
const more = (keys: string): string => withVnic(VNIC.replace(/}$/, `, ${keys}}`));
const vnicWith = (from: string, to: string): string => withVnic(VNIC.replace(from, to));
const adapterWith = (keys: string): string => `adapters: [{name: n, uplink: u, bridge: b, ${keys}}]`;

/** Title; text in which a ▸ stands before each place that is complained of; complaints in that order. */
const refused: readonly (readonly [title: string, text: string, ...complaints: readonly string[]])[] = [
  ['an empty file', '▸', 'is empty; it must be a mapping with the keys adapters and vnics'],
  ['a list', '▸- a', 'must be a mapping with the keys adapters and vnics'],
  ['no YAML', 'a: [1\n▸b: 2', 'Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ['a key twice', 'xdp_mode: auto\n▸xdp_mode: native', 'Map keys must be unique'],
  ['an alias that names nothing', 'socket: *x', 'Unresolved alias (the anchor must be set before the alias): x'],
  ['an unknown key', '▸sockett: /x', 'sockett: unknown key; did you mean "socket"?'],
  [
    'an unknown key far from any',
    '▸colour: red',
    'colour: unknown key; known are: socket, pins, metrics, flows_per_vnic, rss_key, xdp_mode, adapters, vnics',
  ],
  ['an unknown key of a vNIC', more('▸cut-through: true'), 'vnics[0].cut-through: unknown key; did you mean "cut_through"?'],
  ['an unknown key of limits', adapterWith('limits: {▸vf: 3}'), 'adapters[0].limits.vf: unknown key; did you mean "vfs"?'],
  ['a bad MAC address', vnicWith('"52:54:00:00:00:01"', '▸xx'), 'vnics[0].mac: "xx" is not a MAC address such as 52:54:00:12:34:56'],
  [
    'a multicast MAC address',
    vnicWith('"52:54', '▸"53:54'),
    'vnics[0].mac: 53:54:00:00:00:01 is a multicast MAC address; a vNIC needs a unicast one',
  ],
  ['a missing key', withVnic(`▸${VNIC.replace('tap: tap-g1, ', '')}`), 'vnics[0].tap: is missing'],
  ['a key without value', 'adapters: [{name: n, uplink: ▸, bridge: b}]', 'adapters[0].uplink: must be text, not nothing'],
  ['a number for a name', vnicWith('g1', '▸7'), 'vnics[0].name: must be text, not a number; put it in quotes'],
  ['text for a list', 'adapters: ▸nic0', 'adapters: must be a list, not text'],
  ['VLAN too large', more('vlan: ▸4095'), 'vnics[0].vlan: 4095 is too large: at most 4094'],
  ['VLAN with a fraction', more('vlan: ▸1.5'), 'vnics[0].vlan: 1.5 is not a whole number'],
  [
    'a policy that is none',
    more('policy: ▸accelerate'),
    'vnics[0].policy: "accelerate" is none of: accelerated, software; did you mean "accelerated"?',
  ],
  [
    'a device name too long',
    vnicWith('tap-g1', '▸tap-of-the-guest-g1'),
    'vnics[0].tap: "tap-of-the-guest-g1" is too long for a network interface: at most 15 characters',
  ],
  ['a device name that is an option', vnicWith('tap-g1', '▸"-all"'), 'vnics[0].tap: "-all" is not a name of a network interface'],
  ['a namespace outside its folder', vnicWith('up-g1', '▸"../x"'), 'vnics[0].guest.netns: "../x" is not a name of a network namespace'],
  ['more VFs than allowed', adapterWith('limits: {vfs: ▸255}'), 'adapters[0].limits.vfs: 255 is too large: at most 254'],
  ['more queues than allowed', adapterWith('limits: {queues: ▸2049}'), 'adapters[0].limits.queues: 2049 is too large: at most 2048'],
  ['flows not a power of two', 'flows_per_vnic: ▸1000', 'flows_per_vnic: must be a power of two, such as 4096'],
  ['too few flows', 'flows_per_vnic: ▸1', 'flows_per_vnic: 1 is too small: at least 64'],
  ['a relative socket', 'socket: ▸run/x.sock', 'socket: "run/x.sock" is not an absolute path'],
  ['a socket path that the kernel would cut', `socket: ▸/${'x'.repeat(107)}`, "socket: a socket's path has at most 107 bytes"],
  ['an unknown adapter', vnicWith('nic0', '▸nci0'), 'vnics[0].adapter: there is no adapter "nci0"; did you mean "nic0"?'],
  ['an unknown adapter far from any', vnicWith('nic0', '▸ens1f1'), 'vnics[0].adapter: there is no adapter "ens1f1"; adapters are: nic0'],
  [
    'everything twice',
    `adapters:
  - {name: n, uplink: u, bridge: b, vfs: [{port: p, device: d}, {port: ▸p, device: ▸d}]}
  - {name: ▸n, uplink: ▸u, bridge: b}
vnics:
  - {name: g, mac: "52:54:00:00:00:01", adapter: n, tap: t, guest: {netns: x}}
  - {name: ▸g, mac: ▸"52:54:00:00:00:01", adapter: n, tap: ▸t, guest: {netns: x}}
  - {name: h, mac: "52:54:00:00:00:01", vlan: 2, adapter: n, tap: ▸u, guest: {netns: x}}
`,
    'adapters[0].vfs[1].port: the device "p" is used already by adapters[0].vfs[0].port',
    'adapters[0].vfs[1].device: the device "d" is used already by adapters[0].vfs[0].device',
    'adapters[1].name: the name "n" is used already by adapters[0].name',
    'adapters[1].uplink: the device "u" is used already by adapters[0].uplink',
    'vnics[1].name: the name "g" is used already by vnics[0].name',
    'vnics[1].mac: the MAC address 52:54:00:00:00:01 with VLAN 0 is used already by vnics[0].mac',
    'vnics[1].tap: the device "t" is used already by vnics[0].tap',
    'vnics[2].tap: the device "u" is used already by adapters[0].uplink',
  ],
  [
    'several things at once, in the order of the file',
    withVnic('▸{name: g1, mac: ▸yy, adapter: nic0, guest: ▸{}}'),
    'vnics[0].tap: is missing',
    'vnics[0].mac: "yy" is not a MAC address such as 52:54:00:12:34:56',
    'vnics[0].guest.netns: is missing',
  ],
];

/** The text without its marks, and "line:column" of each. */
function unmark(marked: string): { text: string; places: string[] } {
  const places: string[] = [];
  const pieces = marked.split('▸');
  let text = pieces[0] ?? '';
  for (const piece of pieces.slice(1)) {
    const lines = text.split('\n');
    places.push(`${lines.length}:${(lines.at(-1) ?? '').length + 1}`);
    text += piece;
  }
  return { text, places };
}

for (const [title, marked, ...complaints] of refused) {
  test(`refused: ${title}`, (t) => {
    const { text, places } = unmark(marked);
    t.deepEqual(
      problems(text),
      complaints.map((complaint, i) => `F${places[i] === undefined ? '' : `:${places[i]}`}: ${complaint}`),
    );
  });
}

test('refused: more than 254 VFs listed, more than 1023 vNICs', (t) => {
  const vfs = Array.from({ length: 255 }, (_, i) => ({ port: `p${i}`, device: `d${i}` }));
  t.regex(
    problems(stringify({ adapters: [{ name: 'n', uplink: 'u', bridge: 'b', vfs }] }))[0] ?? '',
    /adapters\[0\]\.vfs: 255 VFs are more than/,
  );
  const vnics = Array.from({ length: 1024 }, (_, i) => ({
    name: `g${i}`,
    mac: `52:54:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
    adapter: 'n',
    tap: `t${i}`,
    guest: { netns: `g${i}` },
  }));
  const adapters = [{ name: 'n', uplink: 'u', bridge: 'b' }];
  t.regex(problems(stringify({ adapters, vnics }))[0] ?? '', /vnics: 1024 vNICs are more than a host can have \(1023\)/);
  t.deepEqual(problems(stringify({ adapters, vnics: vnics.slice(1) })), ['no problem']);
});

test('files that cannot be read say what to do', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-config-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  await t.throwsAsync(loadConfig(join(folder, 'none.yaml')), {
    message: `${join(folder, 'none.yaml')}: no such file; write one, or name another with --config FILE`,
  });
  await t.throwsAsync(loadConfig(folder), { message: `${folder}: is a folder; name the file in it` });
  writeFileSync(join(folder, 'x.yaml'), GOOD);
  t.is((await loadConfig(join(folder, 'x.yaml'))).desired.vnics.length, 2);
});

test('whatever the text is, it is read or refused in words', (t) => {
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.double());
  const keys = fc.constantFrom('adapters', 'vnics', 'name', 'mac', 'vfs', 'limits', 'metrics', 'listen', 'rss_key', '__proto__', 'guest');
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, scalar, fc.array(tie('tree'), { maxLength: 3 }), fc.dictionary(keys, tie('tree'), { maxKeys: 5 })),
  }));
  const attempt = (text: string): void => {
    try {
      parseConfig(text, 'F');
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      t.true(error.problems.length > 0 && error.problems.every(({ message }) => message !== ''));
    }
  };
  fc.assert(fc.property(tree, (value) => attempt(stringify(value))));
  fc.assert(fc.property(fc.string(), attempt));
  t.pass();
});
