/** `unipath guest check` in real guests, in both modes, when all is well and when something is not. */
import type { ExecutionContext } from 'ava';
import { Context } from '../../src/cli/context.js';
import { print } from '../../src/cli/guest.js';
import type { Finding, Verdict } from '../../src/guest/check/judge.js';
import type { QemuGuest } from '../../src/lab/qemu/guest.js';
import { Bed, guest, type BedHost } from './bed.js';
import { guestTest, until } from './guest_bed.js';

/** For an emulated CPU that others use too. */
const SLOW = { deadlineMs: 150_000 };
const UNIPATH = 'node /opt/unipath/build/src/cli.js';

interface Checked extends Verdict {
  readonly status: number;
  readonly ok: boolean;
}

/** Once: Node.js takes its time to start there. In words it is what the command prints without -j. */
async function check(t: ExecutionContext, qemu: QemuGuest): Promise<Checked> {
  const { status, output } = await qemu.shell(`${UNIPATH} guest check -j`, SLOW);
  const verdict = JSON.parse(output) as Omit<Checked, 'status'>;
  let words = '';
  print(new Context({ out: (text) => void (words += text), err: () => undefined, colour: false, interrupted: () => new AbortController().signal }, {}), verdict);
  t.log(words);
  return { ...verdict, status };
}

const bad = ({ findings }: Verdict): string[] => findings.filter(({ level }) => level !== 'ok').map(({ level, about, text }: Finding) => `${level} ${about}: ${text}`);

async function start(t: ExecutionContext, label: string, failover: boolean): Promise<{ host: BedHost; qemu: QemuGuest }> {
  const bed = await Bed.create(label, [{ name: 'a', vfs: [{ port: 'vfp0', model: 'vmxnet3' }] }]);
  t.teardown(() => bed.close());
  const { qemu } = await bed.boot('a', guest(1, { failover }), { image: 'node', smp: 2, ...(failover ? {} : { settings: { agent: 'eth0' } }) });
  const host = bed.host('a');
  await host.startDaemon();
  await host.until('g1', ({ phase }) => phase === 'software');
  return { host, qemu };
}

guestTest.serial('a guest with net_failover', async (t) => {
  t.timeout(580_000);
  const { host, qemu } = await start(t, 'cf', true);
  const before = await check(t, qemu);
  t.deepEqual([before.status, before.ok, bad(before)], [0, true, []]);
  t.deepEqual(before.interfaces, [{ name: 'eth0', mode: 'net_failover', vf: null }]);
  await host.control.act('g1', 'accelerate');
  await host.until('g1', ({ path, phase }) => path === 'accelerated' && phase === 'accelerated', 120_000);
  // What was plugged stays; a unipathd that sees a broken primary would take it, and give it anew.
  await host.stopDaemon();
  const well = await check(t, qemu);
  t.deepEqual([well.status, bad(well)], [0, []]);
  t.deepEqual(well.interfaces, [{ name: 'eth0', mode: 'net_failover', vf: 'eth2' }]);

  // Somebody has run a DHCP client on the standby, and set the primary down.
  await qemu.run('ip address add 10.77.0.99/24 dev eth1; ip link set dev eth2 down');
  const broken = await check(t, qemu);
  t.deepEqual([broken.status, broken.ok], [4, false]);
  t.deepEqual(bad(broken), [
    'problem eth1: the standby has the address 10.77.0.99/24: frames would leave by it past its master, and answers get lost',
    'problem eth2: the primary of eth0 (vmxnet3) is down',
  ]);
});

guestTest.serial('a guest with the plug-in', async (t) => {
  t.timeout(580_000);
  const { host, qemu } = await start(t, 'cp', false);
  await host.control.act('g1', 'accelerate');
  await host.until('g1', ({ path, phase }) => path === 'accelerated' && phase === 'accelerated', 120_000);
  const well = await check(t, qemu);
  t.deepEqual([well.status, bad(well)], [0, []]);
  t.deepEqual(well.interfaces, [{ name: 'eth0', mode: 'plugin', vf: 'eth1' }]);
  t.true(well.findings.some(({ about, text }) => about === 'eth1' && text === 'checksums of what it sends: finished by the adapter'));

  await qemu.run('kill -9 $(pidof node); ip address add 10.77.0.98/24 dev eth1');
  const broken = await check(t, qemu);
  t.is(broken.status, 4);
  t.deepEqual(bad(broken), [
    'problem eth0: its agent does not run: a VF that comes is not taken',
    'problem eth1: the VF has the address 10.77.0.98/24: frames would leave by it past its master, and answers get lost',
  ]);

  // Without its programs it is a guest that can use no VF.
  await qemu.run('ip address flush dev eth1; tc qdisc del dev eth0 clsact; rm -r /sys/fs/bpf/unipath-guest');
  await host.control.act('g1', 'software', 20_000);
  await until('the VF is gone', async () => ((await qemu.shell('ip link show dev eth1')).status !== 0 ? true : null), 30_000);
  const without = await check(t, qemu);
  t.is(without.status, 4);
  t.deepEqual(without.interfaces, [{ name: 'eth0', mode: null, vf: null }]);
  t.deepEqual(bad(without), ['problem eth0: failover is not negotiated, and the plug-in is not loaded: no VF can be used']);
});
