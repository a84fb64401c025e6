/** VFs are made, bound and taken away, refused to be taken from who uses them, and everything is as it was after the reset. */
import { emulator } from '../../src/lab/qemu/emulator.js';
import { shellWords } from '../../src/lab/qemu/serial_shell.js';
import type { HostMachine } from '../../src/lab/sriov/machine.js';
import { fileThere, sriovTest, unipath, unipathDone, unipathRefused } from './bed.js';

const PF = '/sys/class/net/eth0/device';
const NOTE = '/var/lib/unipath/adapters/0000:01:00.0.json';

/** All that a setup may change: number of VFs, autoprobe, and of each VF driver and override. */
async function stateOf(machine: HostMachine): Promise<string> {
  return machine.run(
    `cat ${PF}/sriov_numvfs ${PF}/sriov_drivers_autoprobe; ` +
      `for vf in ${PF}/virtfn*; do [ -e $vf ] && echo $(basename $(readlink $vf)) $(basename $(readlink $vf/driver)) $(cat $vf/driver_override); done; true`,
  );
}

sriovTest('seven VFs for virtual machines, and back to none', async (t, machine) => {
  const before = await stateOf(machine);
  t.is(
    await unipathDone(machine, 'adapter setup eth0 --vfs 7 --dry-run'),
    [
      'load the kernel module vfio-pci',
      'eth0: bind no driver to VFs that appear',
      'eth0: create 7 VFs',
      ...Array.from({ length: 7 }, (_, vf) => `eth0: bind VF ${vf} to vfio-pci`),
      '! eth0: many drivers reset the PF when the number of its VFs changes: its link may be down for seconds',
      '! eth0: no XDP program is attached yet, and the first may reset it and darken its VFs: start unipathd before VFs are given away',
      '',
    ].join('\n'),
  );
  t.is(await stateOf(machine), before);
  t.log(await unipathDone(machine, 'adapter setup eth0 --vfs 7'));
  const made = await stateOf(machine);
  t.is(made.match(/vfio-pci vfio-pci$/gm)?.length, 7);
  t.regex(made, /^7\n0\n/);
  t.is(await unipathDone(machine, 'adapter setup eth0 --vfs 7'), 'nothing is to be done\n');
  await unipathDone(machine, 'adapter reset eth0');
  t.is(await stateOf(machine), before);
  t.is((await machine.shell(`test -e ${NOTE}`)).status, 1);
  t.regex(await unipathRefused(machine, 'adapter reset eth0'), /unipath has set nothing up there/);
}, { long: true });

sriovTest('VFs that others had made keep their number and their drivers', async (t, machine) => {
  await machine.run(`echo 2 > ${PF}/sriov_numvfs`, { deadlineMs: 30_000 });
  const before = await stateOf(machine);
  t.is(before.match(/igbvf \(null\)$/gm)?.length, 2);
  // The same number with another driver, then another number: the reset goes back to the beginning.
  await unipathDone(machine, 'adapter setup eth0 --vfs 2');
  t.is((await stateOf(machine)).match(/vfio-pci vfio-pci$/gm)?.length, 2);
  await unipathDone(machine, 'adapter setup eth0 --vfs 3 --driver kernel');
  t.is((await stateOf(machine)).match(/igbvf \(null\)$/gm)?.length, 3);
  await unipathDone(machine, 'adapter reset eth0');
  t.is(await stateOf(machine), before);
  await machine.run(`echo 0 > ${PF}/sriov_numvfs`, { deadlineMs: 30_000 });
}, { long: true });

sriovTest('a VF is not taken from who uses it, and who that is is said', async (t, machine) => {
  await unipathDone(machine, 'adapter setup eth0 --vfs 3 --driver kernel');
  const [first, second] = (await machine.run(`ls ${PF}/virtfn0/net; ls ${PF}/virtfn1/net`)).trim().split('\n');
  await machine.run(`ip link set ${first} up`);
  t.regex(await unipathRefused(machine, 'adapter reset eth0'), new RegExp(`VF 0 \\(0000:01:10\\.0\\) by netdev ${first}, which is up`));
  await machine.run(`ip link set ${first} down`);
  await machine.run(`ip netns add web && ip link set ${second} netns web`);
  const output = await unipathRefused(machine, 'adapter setup eth0 --vfs 5');
  t.regex(output, new RegExp(`VF 1 \\(0000:01:10\\.2\\) by network namespace web, as ${second}`));
  t.regex(output, /unplug the VF, stop the guest, or set the netdev down/);
  t.is(await fileThere(machine, `${PF}/sriov_numvfs`), '3');
  await machine.run('ip netns del web');
  await machine.run('sleep 1');
  await unipathDone(machine, 'adapter reset eth0');
}, { long: true });

sriovTest('what is not as it was made is said, and made so again; without a name, everything that was', async (t, machine) => {
  t.regex(await unipathRefused(machine, 'adapter setup eth0'), /unipath has set nothing up there that could be made again/);
  t.regex(await unipathRefused(machine, 'adapter setup'), /no PF was set up before/);
  await unipathDone(machine, 'adapter setup eth0 --vfs 2');
  // As after a reboot.
  await machine.run(`echo 0 > ${PF}/sriov_numvfs && echo 1 > ${PF}/sriov_drivers_autoprobe`, { deadlineMs: 30_000 });
  t.regex((await unipath(machine, 'doctor')).output, /warn +eth0 +unipath made 2 VFs, and there are 0\n +-> to make it so again: unipath adapter setup eth0/);
  await unipathDone(machine, 'adapter setup');
  t.is((await stateOf(machine)).match(/vfio-pci vfio-pci$/gm)?.length, 2);
  await unipathDone(machine, 'adapter reset eth0');
}, { long: true });

sriovTest('a VF that a virtual machine has by VFIO is not taken away', async (t, machine) => {
  await unipathDone(machine, 'adapter setup eth0 --vfs 2');
  // Its CPUs stand still: it is the device that counts.
  const guest = '-S -machine q35 -accel tcg -m 64 -nodefaults -display none -device vfio-pci,host=0000:01:10.2';
  await machine.run(`${shellWords(emulator())} ${guest} > /run/guest.log 2>&1 & echo $! > /run/guest.pid`);
  const pid = await fileThere(machine, '/run/guest.pid');
  await machine.run(`for i in $(seq 300); do ls -l /proc/${pid}/fd | grep -q /dev/vfio/ && exit; sleep 0.1; done; cat /run/guest.log; exit 1`, { deadlineMs: 45_000 });
  t.regex(await unipathRefused(machine, 'adapter reset eth0'), new RegExp(`VF 1 \\(0000:01:10\\.2\\) by process ${pid} \\(`));
  // Also one more VF would take this one away.
  t.regex(await unipathRefused(machine, 'adapter setup eth0 --vfs 3'), new RegExp(`by process ${pid} `));
  await machine.run(`kill ${pid}; while [ -e /proc/${pid} ]; do sleep 0.1; done`);
  await unipathDone(machine, 'adapter reset eth0');
}, { long: true });

sriovTest('a step that fails undoes those before it', async (t, machine) => {
  const before = await stateOf(machine);
  // Stands in for a kernel that refuses: it is what writes.
  await machine.run(`printf '#!/bin/sh\\necho "tee: x: Device or resource busy" >&2; exit 1\\n' > /usr/local/sbin/tee && chmod +x /usr/local/sbin/tee`);
  const output = await unipathRefused(machine, 'adapter setup eth0 --vfs 7').finally(() => machine.run('rm /usr/local/sbin/tee'));
  t.regex(output, /sriov_numvfs failed: Device or resource busy/);
  t.is(await stateOf(machine), before);
  t.is((await machine.shell(`test -e ${NOTE}`)).status, 1);
}, { long: true });

sriovTest('a setup that is killed half-way leaves nothing that the reset does not put back', async (t, machine) => {
  const before = await stateOf(machine);
  await machine.run(
    `${process.execPath} ${machine.project}/build/src/cli.js adapter setup eth0 --vfs 7 > /run/setup.log 2>&1 & pid=$!; ` +
      `while [ "$(cat ${PF}/sriov_numvfs)" = 0 ]; do kill -0 $pid || exit 1; done; kill -KILL $pid`,
    { deadlineMs: 60_000 },
  );
  // The kernel ends what it had begun.
  await machine.run('sleep 2');
  const half = await stateOf(machine);
  t.true((half.match(/vfio-pci vfio-pci$/gm)?.length ?? 0) < 7, half);
  await unipathDone(machine, 'adapter reset eth0');
  t.is(await stateOf(machine), before);
}, { long: true });

sriovTest('wishes that cannot be', async (t, machine) => {
  t.regex(await unipathRefused(machine, 'adapter setup eth0 --vfs 8'), /eth0 can have at most 7 VFs, not 8/);
  t.regex(await unipathRefused(machine, 'adapter setup eth9 --vfs 1'), /there is no PF "eth9"\n {2}there are: eth0, eth1/);
}, { long: true });
