/** `unipath guest check` in real guests, in both modes, when all is well and when something is not. */
import type { ExecutionContext } from 'ava';
import { Context } from '../../src/cli/context.js';
import { printFindings } from '../../src/cli/findings.js';
import type { VnicStatus } from '../../src/control/protocol.js';
import type { Verdict } from '../../src/guest/check/judge.js';
import { guest, type RunningGuest } from './bed.js';
import { guestsTest } from './guests_test.js';

/** For Node.js to start in a guest with an emulated CPU. */
const SLOW_MS = 120_000;
const VFS = [{ name: 'a', vfs: [{ port: 'tp0', model: 'vmxnet3' }] }];

const onVf = ({ path, phase }: VnicStatus): boolean => path === 'accelerated' && phase === 'accelerated';

interface Checked extends Verdict {
  readonly status: number;
  readonly ok: boolean;
}

/** Once: Node.js takes its time to start there. In words it is what the command prints without -j. */
async function check(t: ExecutionContext, { qemu }: RunningGuest): Promise<Checked> {
  const { status, output } = await qemu.shell('node /opt/unipath/build/src/cli.js guest check -j', { deadlineMs: SLOW_MS });
  const verdict = JSON.parse(output) as Omit<Checked, 'status'>;
  let words = '';
  printFindings(new Context({ out: (text) => void (words += text), err: () => undefined, colour: false, interrupted: () => new AbortController().signal }, {}), verdict.findings);
  t.log(words);
  return { ...verdict, status };
}

const bad = ({ findings }: Verdict): string[] => findings.filter(({ level }) => level !== 'ok').map(({ level, about, text }) => `${level} ${about}: ${text}`);

guestsTest('guest check in a guest with net_failover', VFS, async (t, bed) => {
  const host = bed.host('a');
  const at = await bed.boot('a', guest(1), { image: 'node', smp: 2 });
  await host.startDaemon();
  await host.control.act('g1', 'accelerate');
  await host.until('g1', onVf, SLOW_MS);
  // What was plugged stays; a unipathd that sees a broken primary would take it, and give it anew.
  await host.stopDaemon();
  const well = await check(t, at);
  t.deepEqual([well.status, well.ok, bad(well)], [0, true, []]);
  t.deepEqual(well.interfaces, [{ name: 'eth0', mode: 'net_failover', vf: 'eth2' }]);

  // Somebody has run a DHCP client on the standby, and set the primary down.
  await at.qemu.run('ip address add 10.77.0.99/24 dev eth1; ip link set dev eth2 down');
  const broken = await check(t, at);
  t.deepEqual([broken.status, broken.ok], [4, false]);
  t.deepEqual(bad(broken), [
    'problem eth1: the standby has the address 10.77.0.99/24: frames would leave by it past its master, and answers get lost',
    'problem eth2: the primary of eth0 (vmxnet3) is down',
  ]);
});

guestsTest('guest check in a guest with the plug-in', VFS, async (t, bed) => {
  const host = bed.host('a');
  const at = await bed.boot('a', guest(1, { failover: false }), { image: 'node', smp: 2, settings: { agent: 'eth0' } });
  await host.startDaemon();
  await host.control.act('g1', 'accelerate');
  await host.until('g1', onVf, SLOW_MS);
  const well = await check(t, at);
  t.deepEqual([well.status, bad(well)], [0, []]);
  t.deepEqual(well.interfaces, [{ name: 'eth0', mode: 'plugin', vf: 'eth1' }]);
  t.true(well.findings.some(({ about, text }) => about === 'eth1' && text === 'checksums of what it sends: finished by the adapter'));

  // Its agent is dead, somebody has run a DHCP client on the VF.
  await at.qemu.run('kill -9 $(pidof node); ip address add 10.77.0.98/24 dev eth1');
  const broken = await check(t, at);
  t.is(broken.status, 4);
  t.deepEqual(bad(broken), [
    'problem eth0: its agent does not run: a VF that comes is not taken',
    'problem eth1: the VF has the address 10.77.0.98/24: frames would leave by it past its master, and answers get lost',
  ]);
}, { long: true });
