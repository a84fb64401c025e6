import test from 'ava';
import { deadKernelWords } from '../../../../src/lab/qemu/dead_kernel.js';

test('a dead kernel is told from one that talks', (t) => {
  t.is(deadKernelWords('[    1.061977] NMI watchdog: Perf NMI watchdog permanently disabled\nvirtio_net virtio0 eth0: failover primary slave:eth2 registered\n'), null);
  t.is(deadKernelWords('x\n[   71.8] Kernel panic - not syncing: Attempted to kill init!\n'), 'Kernel panic');
  t.is(deadKernelWords('[   71.8] BUG: unable to handle page fault for address: 0000000000001000\n'), 'BUG: ');
  t.is(deadKernelWords('[   13.4] note: reflector[109] exited with preempt_count 3\n[   13.5] Fixing recursive fault but reboot is needed!\n'), 'Fixing recursive fault');
});
