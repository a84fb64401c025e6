import test from 'ava';
import { allowedCpus, numaNodes } from '../../../src/host/numa.js';
import { onlineCpus } from '../../../src/native/cpus.js';

test('every CPU that runs is on one node; a kernel without NUMA has none', (t) => {
  const nodes = numaNodes();
  const cpus = [...nodes.values()].flat().sort((a, b) => a - b);
  t.deepEqual(cpus, nodes.size === 0 ? [] : onlineCpus());
});

test('where threads may run: of one process, and there', (t) => {
  const allowed = allowedCpus([process.pid, process.pid]);
  t.is(allowed?.length, 2);
  t.true(allowed?.every((cpus) => cpus.length > 0 && cpus.every((cpu) => Number.isInteger(cpu))));
  t.is(allowedCpus([process.pid, process.ppid]), null, 'two processes');
  t.is(allowedCpus([0x7fff_fffe]), null, 'none');
});
