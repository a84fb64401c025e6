/**
 * A virtual machine inside the machine that plays a KVM host is given a VF of an emulated adapter by VFIO, and it is taken back: unipathd, the
 * PF's driver, VFIO and the guest's net_failover as on a real host, under emulation twice. Minutes; with nothing else to do on the machine outside, two.
 */
import type { ExecutionContext } from 'ava';
import type { HostMachine } from '../../src/lab/sriov/machine.js';
import { PF_MACS, sriovTest, useMachine } from './bed.js';
import { bootedGuest } from './booted_guest.js';
import { answers, answersText, ask, BOOT_MS, createWorld, Side, VF_OF_GUEST, WAIT_S } from './nested_bed.js';

useMachine({ adapters: PF_MACS.slice(0, 1).map((mac) => ({ mac })), bootMs: BOOT_MS });

async function giveAndTake(t: ExecutionContext, machine: HostMachine, side: Side): Promise<void> {
  const started = performance.now();
  const at = (what: string): void => t.log(`${((performance.now() - started) / 1000).toFixed(0)} s: ${what}`);
  await side.create();
  await createWorld(machine);
  const before = { vf: await side.vfLine(), all: await side.state() };
  await side.startDaemon();
  const guest = await bootedGuest(t);
  await side.untilReady();
  at('unipathd is ready');
  await side.startGuest(guest);
  await side.untilAnswered();
  at('the guest answers');

  await ask(machine);
  await machine.run('sleep 4');
  t.log(await side.unipath(`vnic accelerate g1 --wait ${WAIT_S}`));
  at('on its VF');
  await machine.run('sleep 4');
  t.regex(await side.vfLine(), VF_OF_GUEST);
  const onTap = await side.toTap();
  await machine.run('sleep 4');
  t.true((await side.toTap()) - onTap < 5, 'frames still go to the tap');
  t.log(await side.unipath('status'));

  t.log(await side.unipath(`vnic software g1 --wait ${WAIT_S}`));
  at('on its tap');
  for (const result of await answers(machine)) {
    t.log(answersText(result));
    t.true(result.answered > 10, result.station);
  }
  t.is(await side.vfLine(), before.vf);
  await side.unipath('down');
  t.is(await side.state(), before.all);
  await side.endGuest();
}

sriovTest('a VF is given to a virtual machine by VFIO and taken back, and everybody reaches it on either path', async (t, machine) => {
  const side = new Side(machine, { name: 'a', pf: 'eth0', vf: '0000:01:10.0', policy: 'software', neighbour: true });
  try {
    await giveAndTake(t, machine, side);
  } catch (error) {
    t.log(await side.words(), await machine.run('dmesg | tail -n 30'));
    throw error;
  }
}, { long: true });
