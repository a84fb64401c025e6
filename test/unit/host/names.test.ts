import test from 'ava';
import { checkInterfaceName, checkNetnsName, interfaceNameProblem, netnsNameProblem } from '../../../src/host/names.js';

test('names that the kernel and the tools take', (t) => {
  for (const name of ['eth0', 'tap-g1', 'eth0.100', 'enp1s0f0v12', 'a', 'br_lan', '0x1', 'v@x'])
    t.is(interfaceNameProblem(name), null, name);
  for (const name of ['up-g1', 'guest.7', 'a', '12a']) t.is(netnsNameProblem(name), null, name);
});

test('names that are none, or that a tool would take for something else', (t) => {
  for (const name of ['', '.', '..', '-x', 'a b', 'a/b', 'a\n', 'ä', 'sixteencharacter', 'a:b', 'a;b']) {
    t.truthy(interfaceNameProblem(name), name);
    t.throws(() => checkInterfaceName(name), { instanceOf: RangeError });
  }
  for (const name of ['', '.', '..', '-n', 'a b', 'a/b', '../x', '123', 'x'.repeat(64)]) {
    t.truthy(netnsNameProblem(name), name);
    t.throws(() => checkNetnsName(name), { instanceOf: RangeError });
  }
});
