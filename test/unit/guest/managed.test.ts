import test from 'ava';
import { managedByNetworkd, managedByNetworkManager } from '../../../src/guest/check/managed.js';

test('NetworkManager', (t) => {
  const text = 'eth0:connected\neth1:unmanaged\neth2:disconnected\nlo:connected (externally)\nodd\\:name:unavailable\n';
  t.deepEqual(managedByNetworkManager(text), ['eth0', 'eth2', 'odd:name']);
});

test('systemd-networkd', (t) => {
  const text = '  1 lo       loopback carrier     unmanaged\n  2 ens3     ether    routable    configured\n  3 ens3nsby ether    enslaved    unmanaged\n 10 ens4     ether    no-carrier  configuring\n\n';
  t.deepEqual(managedByNetworkd(text), ['ens3', 'ens4']);
});
