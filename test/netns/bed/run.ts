/** Runs scenarios with real frames, see place.ts. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { hostObjectPath, pluginObjectPath } from '../../../src/paths.js';
import { createNetns, runModuleIn } from '../../support/netns.js';
import { needs, testWith } from '../../support/require.js';
import type { Place } from './place.js';

const tools = ['ip', 'bridge', 'tc', 'ethtool', 'nsenter'].map(needs.tool);
// One after the other: several beds at once would be too much for two CPUs.
export const bedTest = testWith(
  needs.root(), ...tools, needs.bpffs(), needs.file('/dev/net/tun', 'the kernel module tun'),
  needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'), needs.file(pluginObjectPath, 'bpf/plugin.bpf.o (make -C bpf)'),
).serial;

let made = 0;

/** Runs one scenario on a new bed; what it returns, bigints as strings. */
export async function runOnBed<T>(t: ExecutionContext, module: URL, scenario: string, stations: readonly string[]): Promise<T> {
  const parent = join('/sys/fs/bpf', `unipath-test-${process.pid}`);
  const pins = join(parent, `bed${++made}`);
  // Before the namespaces', so that it runs after: links must not outlive the test in any order.
  t.teardown(() => rmSync(parent, { recursive: true, force: true }));
  const host = createNetns(t);
  const place: Place = { pins, host, stations: Object.fromEntries(stations.map((name) => [name, createNetns(t, name)])) };
  return (await runModuleIn(host, module, scenario, JSON.stringify(place))) as T;
}
