/** The machine that plays a KVM host is what the other tests here believe it to be. */
import { readFileSync } from 'node:fs';
import { fileThere, PF_MACS, sriovTest } from './bed.js';

sriovTest('the machine has two SR-IOV adapters of seven VFs each behind an IOMMU', async (t, machine) => {
  for (const [index, mac] of PF_MACS.entries()) {
    t.is(await fileThere(machine, `/sys/class/net/eth${index}/address`), mac);
    t.is(await fileThere(machine, `/sys/class/net/eth${index}/device/sriov_totalvfs`), '7');
    t.is(await fileThere(machine, `/sys/class/net/eth${index}/device/sriov_numvfs`), '0');
  }
  t.not(await machine.run('ls /sys/kernel/iommu_groups'), '');
});

sriovTest('its root is that of this machine, and what it writes stays its own', async (t, machine) => {
  await machine.run(`echo changed >> ${machine.project}/README.md`);
  t.regex(await machine.run(`tail -n 1 ${machine.project}/README.md`), /^changed$/m);
  t.notRegex(readFileSync(`${machine.project}/README.md`, 'utf8'), /^changed$/m);
});

sriovTest('VFs come with an IOMMU group each, and go', async (t, machine) => {
  await machine.run('echo 7 > /sys/class/net/eth0/device/sriov_numvfs', { deadlineMs: 30_000 });
  const groups = (await machine.run('for vf in /sys/class/net/eth0/device/virtfn*; do basename $(readlink $vf/iommu_group); done')).trim().split('\n');
  t.is(new Set(groups).size, 7);
  await machine.run('echo 0 > /sys/class/net/eth0/device/sriov_numvfs', { deadlineMs: 30_000 });
  t.is((await machine.run('ls -d /sys/class/net/eth0/device/virtfn* 2>/dev/null | wc -l')).trim(), '0');
});
