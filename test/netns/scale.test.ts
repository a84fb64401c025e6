/**
 * As many VFs and queues as an adapter can have: 254 and 2048, started, attached, used, adopted and taken down. What each step took
 * and how much memory it needs is shown, not judged: `npm run scale`.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { ADAPTER_MAX_QUEUES, ADAPTER_MAX_VFS, checkBudget, limitsOf } from '../../src/core/budget.js';
import { type AdapterSpec, DEFAULT_RULES } from '../../src/core/model.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { hostObjectPath } from '../../src/paths.js';
import { createNetns, runModuleIn } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';
import { queuesObjectPath } from './live_frames.js';
import type { Scale } from './scale_model.js';

const scaleTest = testWith(
  needs.root(), needs.bpffs(), needs.tool('ip'), needs.tool('nsenter'), needs.file('/dev/net/tun', 'taps (/dev/net/tun)'),
  needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'), needs.file(queuesObjectPath, 'bpf/queues.bpf.o (make -C bpf)'),
);

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function table({ ms, memory }: Scale): string[] {
  const steps: readonly (readonly [step: string, what: string])[] = [
    ['devices', 'ip: 255 veth pairs, 254 taps'], ['load', 'open the data plane: load, pin'], ['attach', 'attach 509 programs'],
    ['rows', 'write the rows of 254 vNICs'], ['frames', 'frames to every queue that a CPU reaches'], ['counters', 'read all counters'],
    ['close', 'close'], ['adopt', 'open it again: adopt'], ['read rows', 'read all rows'], ['remove', 'remove everything'],
    ['detached', 'until the kernel has detached the last program'],
  ];
  const largest = Object.entries(memory.largestMaps).map(([name, bytes]) => `${name} ${mebibytes(bytes)}`).join(', ');
  return [
    ...steps.map(([step, what]) => `${String(ms[step] ?? '-').padStart(6)} ms  ${what}`),
    `${mebibytes(memory.maps)} in maps (${largest}); the process grew by ${mebibytes(memory.process)}`,
  ];
}

scaleTest('254 vNICs with 2048 queues: every frame to every queue that a CPU reaches, and nothing is left', async (t) => {
  const pins = join('/sys/fs/bpf', `unipath-test-${process.pid}-scale`);
  t.teardown(() => rmSync(pins, { recursive: true, force: true }));
  const seen = (await runModuleIn(createNetns(t), new URL('./scale_scenario.js', import.meta.url), pins)) as Scale;
  t.deepEqual([seen.vnics, seen.queues], [ADAPTER_MAX_VFS, ADAPTER_MAX_QUEUES]);
  t.is(seen.attached, 1 + 2 * ADAPTER_MAX_VFS, 'all natively');
  t.is(seen.flows + seen.unreachable, ADAPTER_MAX_QUEUES, 'a flow for every queue that is not reported as unreachable');
  t.true(seen.flows >= ADAPTER_MAX_VFS * Math.min(8, onlineCpus().length));
  t.deepEqual([seen.wrong, seen.misdelivered, seen.errors], [[], 0, []]);
  t.deepEqual([seen.arrived, seen.counted], [seen.sent, seen.sent]);
  t.deepEqual([seen.adopted, seen.rowsAfterAdoption], [true, ADAPTER_MAX_VFS]);
  t.deepEqual(seen.refused, {
    vlans: 'RangeError: 17 VLANs; a vNIC has 1..16', ipv4: 'RangeError: 17 IPv4 addresses; a vNIC has at most 16',
    ipv6: 'RangeError: 17 IPv6 addresses; a vNIC has at most 16', queues: 'RangeError: 65 queues; a port has 1..64',
    id: 'RangeError: vNIC id 1024 is not in 1..1023',
  });
  t.deepEqual(seen.left, { programs: 0, pins: [] });
  for (const line of table(seen)) t.log(line);
});

test('one VF more, or one queue more, than an adapter can have is refused with its own reason', (t) => {
  const adapter: AdapterSpec = { name: 'nic0', uplink: 'pf0', bridge: 'br0', vfs: [], limits: { vfs: 10_000, queues: 10_000 }, rules: DEFAULT_RULES };
  const check = (vfs: number, queues: number, more: number): string | null =>
    checkBudget([{ kind: 'adapter', name: 'nic0', ceilings: limitsOf(adapter), used: { vfs, queues, vectors: 0 } }], { vfs: 1, queues: more, vectors: 0 });
  t.is(check(253, 2040, 8), null);
  t.is(check(254, 0, 1), 'vf_budget_exhausted');
  t.is(check(253, 2041, 8), 'queue_budget_exhausted');
});
