/** A control socket in a folder of its own, with a fake controller behind it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { ControlServer, type ControlTarget } from '../../src/control/server.js';
import { FakeController } from './fake_controller.js';

export interface FakeDaemon {
  readonly socket: string;
  readonly folder: string;
  readonly controller: FakeController;
  readonly server: ControlServer;
  readonly target: ControlTarget;
  /** Errors that the server called unexpected. */
  readonly failures: string[];
  /** How often the daemon was told to end. */
  readonly ended: number;
}

export function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Closed when the test ends. */
export async function fakeDaemon(t: ExecutionContext, change: Partial<ControlTarget> = {}): Promise<FakeDaemon> {
  const folder = temporaryFolder(t);
  const socket = join(folder, 'run', 'unipath.sock');
  const controller = new FakeController();
  const failures: string[] = [];
  let ended = 0;
  const target: ControlTarget = {
    controller,
    version: '1.2.3',
    pins: '/sys/fs/bpf/nowhere',
    configFile: join(folder, 'unipath.yaml'),
    adopted: false,
    metrics: { contentType: 'text/plain; version=0.0.4', render: async () => [Buffer.from('unipath_up 1\n')] },
    counters: () => ({ vnics: [], unknown: {}, redirect_errors: [] }),
    explain: async () => ({ explanations: [] }),
    flows: {
      get: (vnic) => (vnic === 'g1' ? { vnic, seed: '00000000000000ff', slots: 16, flows: [[3, 7, 1, 20]] } : null),
      put: (vnic, { flows }) => (vnic === 'g1' ? { vnic, taken: flows.length, waits: false } : null),
    },
    vms: { status: () => ({ vms: [], problems: {} }), receive: async () => undefined, cancel: async () => undefined, migrate: async () => ({ outcome: 'completed', error: null, total_ms: 900, downtime_ms: 30, drain_ms: 100 }) },
    config: () => ({ socket: '/run/unipath/unipath.sock', vnics: [{ name: 'g1' }] }),
    reload: async (dryRun) => (dryRun ? controller.difference() : { added: ['g3'], removed: [], changed: ['g1'] }),
    ended: () => ended++,
    ...change,
  };
  const server = await ControlServer.listen(socket, target, (error, url) => failures.push(`${url}: ${error.message}`));
  t.teardown(() => server.close());
  return {
    socket,
    folder,
    controller,
    server,
    target,
    failures,
    get ended() {
      return ended;
    },
  };
}
