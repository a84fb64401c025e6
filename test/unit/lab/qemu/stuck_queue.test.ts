import test from 'ava';
import { stuckQueueWords } from '../../../../src/lab/qemu/stuck_queue.js';

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
