import test from 'ava';
import { deadKernelWords, stuckQueueWords } from '../../../../src/lab/qemu/kernel_words.js';

test('a dead kernel is told from one that talks', (t) => {
  t.is(deadKernelWords('[    1.061977] NMI watchdog: Perf NMI watchdog permanently disabled\nvirtio_net virtio0 eth0: failover primary slave:eth2 registered\n'), null);
  t.is(deadKernelWords('x\n[   71.8] Kernel panic - not syncing: Attempted to kill init!\n'), 'Kernel panic');
  t.is(deadKernelWords('[   71.8] BUG: unable to handle page fault for address: 0000000000001000\n'), 'BUG: ');
});

test('NICs that did not send are named, with how long, and nothing else is', (t) => {
  const log = [
    '[    1.061977] NMI watchdog: Perf NMI watchdog permanently disabled',
    '[   37.810316] 8139cp 0000:02:00.0 eth2: NETDEV WATCHDOG: CPU: 0: transmit queue 0 timed out 6664 ms',
    '[   37.814306] 8139cp 0000:02:00.0 eth2: Transmit timeout, status  d   3b    0 80ff\r',
    '[   48.941495] NETDEV WATCHDOG: eth2 (8139cp): transmit queue 0 timed out\r',
  ].join('\n');
  t.deepEqual(stuckQueueWords(log), [
    '8139cp 0000:02:00.0 eth2: NETDEV WATCHDOG: CPU: 0: transmit queue 0 timed out 6664 ms',
    'NETDEV WATCHDOG: eth2 (8139cp): transmit queue 0 timed out',
  ]);
  t.deepEqual(stuckQueueWords(''), []);
});
