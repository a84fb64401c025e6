import test from 'ava';
import fc from 'fast-check';
import { deviceIdOf, netdevIdOf, netdevIdOfDevice, portOfDeviceId } from '../../../../src/hypervisor/qemu/device_ids.js';
import { interfaceNameProblem } from '../../../../src/host/names.js';

const character = fc.constantFrom(...'abxyzX_09.+@~#-');
const port = fc.string({ unit: character, minLength: 1, maxLength: 15 }).filter((name) => interfaceNameProblem(name) === null);
const idPattern = /^[A-Za-z][A-Za-z0-9._-]*$/;

test('every port has ids that QEMU takes, and the port can be read from them', (t) => {
  fc.assert(
    fc.property(port, (name) => {
      t.regex(deviceIdOf(name), idPattern);
      t.regex(netdevIdOf(name), idPattern);
      t.is(portOfDeviceId(deviceIdOf(name)), name);
      t.is(netdevIdOfDevice(deviceIdOf(name)), netdevIdOf(name));
    }),
    { numRuns: 1000 },
  );
});

test('two ports never have the same id', (t) => {
  fc.assert(fc.property(port, port, (a, b) => (deviceIdOf(a) === deviceIdOf(b)) === (a === b)), { numRuns: 1000 });
  t.not(deviceIdOf('a_x23'), deviceIdOf('a#'));
});

test('usual names stay readable', (t) => {
  t.is(deviceIdOf('vfp0'), 'unipath-vf-vfp0');
  t.is(netdevIdOf('enp1s0f0_3.100'), 'unipath-net-enp1s0f0_3.100');
});

test("others' ids are not ours", (t) => {
  for (const id of ['vf0', 'net0', 'unipath-vf-', 'unipath-net-vfp0', 'xunipath-vf-a', 'unipath-vf-a#', 'unipath-vf-_x41', 'unipath-vf-_xZZ']) {
    t.is(portOfDeviceId(id), null, id);
  }
});
