import test, { type ExecutionContext } from 'ava';
import { runCli } from '../../../src/cli/program.js';
import { retaLines } from '../../../src/cli/rss_settings.js';
import { fakeDaemon } from '../../support/control_socket.js';
import { rssStatus } from '../../support/fake_controller.js';

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function bed(t: ExecutionContext) {
  const { socket, controller } = await fakeDaemon(t);
  const run = async (line: string): Promise<Run> => {
    let [out, err] = ['', ''];
    const io = { out: (text: string) => void (out += text), err: (text: string) => void (err += text), colour: false };
    const code = await runCli(['-S', socket, ...line.split(' ')], { ...io, interrupted: () => new AbortController().signal });
    return { code, out, err };
  };
  return { controller, run };
}

test('rss show: key, sources, and per port queue, CPU and share', async (t) => {
  const { run } = await bed(t);
  const { code, out } = await run('rss show');
  t.is(code, 0);
  t.is(
    out,
    `key         ${Array(10).fill('6d:5a:56:da').join(':')} (default, random)
hash types  ipv4,tcp_ipv4 (default)

vNIC        g1
hash types  ipv4 (operator)
weights     equal (default)

TAP tap-g1  CPU  BUCKETS  SHARE-%
queue 0       0       64     50.0
queue 1       1       64     50.0
  buckets 0-127, again and again: ${Array(8).fill('0 1').join(' ')}
`,
  );
});

test('rss show: what cannot be is said, and a queue that no CPU reaches', async (t) => {
  const { run, controller } = await bed(t);
  const status = rssStatus({ key_problem: 'the RSS key of pf0 has 16 bytes' });
  const [vnic] = status.vnics;
  const [port] = vnic?.ports ?? [];
  if (vnic === undefined || port === undefined) throw new Error('no port');
  const shares = [...port.shares, { queue: 2, buckets: 0, percent: 0, cpu: null }];
  controller.rss = { ...status, vnics: [{ ...vnic, problems: ['no CPU reaches queue 2 of tap-g1'], ports: [{ ...port, shares, unreachable: [2] }] }] };
  const { out } = await run('rss show g1');
  t.regex(out, /^ +the RSS key of pf0 has 16 bytes$/m);
  t.regex(out, /^ +no CPU reaches queue 2 of tap-g1$/m);
  t.regex(out, /^queue 2 +none reaches it +0 +0\.0$/m);
});

test('rss show as JSON; a name that is near is suggested', async (t) => {
  const { run, controller } = await bed(t);
  t.deepEqual(JSON.parse((await run('-j rss show')).out), { schema: 1, ...controller.rss });
  const { code, err } = await run('rss show g2');
  t.is(code, 1);
  t.is(err, 'unipath: there is no vNIC "g2"\n  did you mean "g1"?\n');
});

test('rss set: what is asked for reaches the daemon, what changes is told', async (t) => {
  const { run, controller } = await bed(t);
  const { code, out } = await run('rss set g1 --weights 3,1 --types ipv4,tcp_ipv4');
  t.is(code, 0);
  t.is(out, 'changed: g1 tap-g1: shares of its queues become 75 %, 25 % (32 buckets move)\n');
  await run('rss set g1 --equal');
  await run('rss set --reset --types default');
  await run(`rss set --key ${Array(40).fill('5A').join(':')}`);
  await run('rss set --key nic');
  t.deepEqual(controller.calls, [
    'setRss g1 {"hash_types":["ipv4","tcp_ipv4"],"weights":[3,1]}',
    'setRss g1 {"weights":[]}',
    'setRss null {"hash_types":["ipv4","tcp_ipv4","udp_ipv4","ipv6","tcp_ipv6","udp_ipv6"],"reset":true}',
    `setRss null {"key":"${'5a'.repeat(40)}"}`,
    'setRss null {"key":"nic"}',
  ]);
});

test('rss set --dry-run says that nothing was done', async (t) => {
  const { run, controller } = await bed(t);
  t.regex((await run('rss set g1 --weights 3,1 --dry-run')).out, /^would change: g1 tap-g1: /);
  t.deepEqual(controller.calls, ['setRss g1 {"weights":[3,1],"dry_run":true}']);
  const { changes } = JSON.parse((await run('-j rss set g1 --weights 3,1')).out) as { changes: readonly object[] };
  t.deepEqual(changes, [{ vnic: 'g1', device: 'tap-g1', what: 'shares of its queues become 75 %, 25 %', buckets_moved: 32 }]);
});

const wrong: readonly (readonly [line: string, code: number, message: RegExp])[] = [
  ['rss set g1', 2, /nothing to set\n {2}give --key, --types, --weights, --equal or --reset/],
  ['rss set g1 --weights 1 --equal', 2, /give --weights or --equal, not both/],
  ['rss set --key rndom', 2, /--key: must be "random", "nic" or 80 hexadecimal digits; these are 5 characters\n {2}did you mean "random"\?/],
  ['rss set --types tcp_ip4', 2, /--types: "tcp_ip4" is no hash type; did you mean "tcp_ipv4"\?/],
  ['rss set --weights 1,x', 2, /--weights: "x" is no weight; write whole numbers such as 2,1,1/],
  ['rss set --weights 256', 2, /--weights: 256 is no weight: whole numbers in 0\.\.255/],
  ['rss set --weights 0,0', 2, /--weights: all weights are 0/],
  ['rss set g11 --equal', 1, /there is no vNIC "g11"\n {2}did you mean "g1"\?/],
];

for (const [line, expected, message] of wrong) {
  test(`refused: ${line}`, async (t) => {
    const { run, controller } = await bed(t);
    const { code, err } = await run(line);
    t.regex(err, message);
    t.is(code, expected);
    t.deepEqual(controller.calls, []);
  });
}

test('a table is shown in ranges, as one row that repeats, or in rows', (t) => {
  const table = (queueOf: (bucket: number) => number): number[] => Array.from({ length: 128 }, (_, bucket) => queueOf(bucket));
  t.deepEqual(retaLines(table((bucket) => (bucket < 96 ? 0 : 1))), ['buckets 0-95: 0', 'buckets 96-127: 1']);
  t.deepEqual(retaLines(table((bucket) => bucket % 4)), ['buckets 0-127, again and again: 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3']);
  const rows = retaLines(table((bucket) => bucket % 3));
  t.is(rows.length, 8);
  t.is(rows[1], 'buckets 16-31: 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1');
});
