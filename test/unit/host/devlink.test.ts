import test from 'ava';
import { isLegacyOnly, parseEswitchMode } from '../../../src/host/devlink.js';

/** As devlink of iproute2 6.1 prints it for mlx5 (devlink-dev(8)). */
const SHOWN = { dev: { 'pci/0000:03:00.0': { mode: 'switchdev', 'inline-mode': 'none', 'encap-mode': 'basic' } } };

test('the mode of the switch', (t) => {
  t.is(parseEswitchMode(SHOWN, '0000:03:00.0'), 'switchdev');
  t.is(parseEswitchMode(SHOWN, '0000:04:00.0'), null);
  // What it prints besides its error when the driver has no devlink.
  t.is(parseEswitchMode({ dev: {} }, '0000:03:00.0'), null);
  t.throws(() => parseEswitchMode({ dev: { 'pci/0000:03:00.0': { mode: 'switchdev_inactive' } } }, '0000:03:00.0'), {
    message: /is in the mode switchdev_inactive, which is not known here/,
  });
});

test('words for a switch that has one mode only, and others', (t) => {
  t.true(isLegacyOnly('kernel answers: No such device'));
  t.true(isLegacyOnly('kernel answers: Operation not supported'));
  // Before iproute2 6.0.
  t.true(isLegacyOnly('devlink answers: No such device'));
  t.false(isLegacyOnly('kernel answers: Operation not permitted'));
  t.false(isLegacyOnly('Failed to connect to devlink Netlink'));
});
