import test from 'ava';
import { ownAddressesIn } from '../../../src/host/own_addresses.js';

/** As `bridge -j fdb show dev eth0` of iproute2 6.1 prints it for a PF that is a bridge port. */
const SHOWN = JSON.parse(`[{"mac":"52:54:00:00:00:a1","flags":[],"master":"br0","state":""},
{"mac":"52:54:00:00:00:b0","flags":["self"],"state":"permanent"},{"mac":"33:33:00:00:00:01","flags":["self"],"state":"permanent"}]`);

test('addresses of its own are those with self; what the bridge has learnt behind it is none', (t) => {
  t.deepEqual([...ownAddressesIn(SHOWN)], ['52:54:00:00:00:b0', '33:33:00:00:00:01']);
});
