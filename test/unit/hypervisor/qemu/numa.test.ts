import test from 'ava';
import { nodeOfCpus, nodeOfMemory } from '../../../../src/hypervisor/qemu/numa.js';

const memdev = (policy: string, ...nodes: number[]) => ({ id: 'ram0', size: 1, merge: true, dump: true, prealloc: false, 'host-nodes': nodes, policy });

test('memory that is bound to one node, all of it', (t) => {
  t.is(nodeOfMemory([memdev('bind', 1)]), 1);
  t.is(nodeOfMemory([memdev('bind', 1), memdev('preferred', 1)]), 1);
  for (const several of [[memdev('bind', 0), memdev('bind', 1)], [memdev('bind', 0, 1)], [memdev('bind', 1), memdev('default')], [memdev('interleave', 1)]]) {
    t.is(nodeOfMemory(several), null);
  }
  for (const nothing of [[], undefined, 'what', [{ policy: 'bind' }]]) t.is(nodeOfMemory(nothing), null);
});

test('CPUs that may run on those of one node only; a host of one node has no near and far', (t) => {
  const two = new Map([[0, [0, 1]], [1, [2, 3]]]);
  t.is(nodeOfCpus([[2], [2, 3]], two), 1);
  t.is(nodeOfCpus([[2], [1]], two), null);
  t.is(nodeOfCpus([[0, 1, 2, 3]], two), null);
  t.is(nodeOfCpus([[7]], two), null, 'a CPU of no node');
  t.is(nodeOfCpus([], two), null);
  t.is(nodeOfCpus([[0]], new Map([[0, [0]]])), null);
});
