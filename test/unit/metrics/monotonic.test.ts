/**
 * What counters rise by is what was sent, whatever happens meanwhile: a vNIC changes its VF, goes to another host, a daemon begins anew. The
 * kernel is a model: rows that only rise, and that are emptied when they are given to another vNIC (KernelDataPlane.writeVnic).
 */
import test from 'ava';
import fc from 'fast-check';
import type { VnicTally } from '../../../src/dataplane/port.js';
import { Metrics } from '../../../src/metrics/registry.js';
import { FakeController, monitorEvent, vnicStatus } from '../../support/fake_controller.js';

const VNICS = ['g1', 'g2', 'g3'] as const;
const HOSTS = ['a', 'b'] as const;
/** What is counted in the maps, and so by no daemon. */
const OF_THE_KERNEL = /^unipath_vnic_.*_total\{/;
const LOCAL = /^unipath_(hold_frames|announcements)_total\{/;

interface Row {
  vf: number;
  tap: number;
}

class Host {
  readonly controller = new FakeController();
  metrics = this.#daemon();
  /** By id. */
  readonly rows = new Map<number, Row>();
  /** How often its daemon began. */
  lives = 0;

  constructor() {
    this.controller.vnics = [];
  }

  #daemon(): Metrics {
    const tallies = (ids: readonly number[]): VnicTally[] => ids.map((id) => tally(id, this.rows.get(id) ?? { vf: 0, tap: 0 }));
    const dataPlane = { tallies, redirectErrors: () => [], guestDrops: () => [], eventsLost: () => 0n, mapUsage: () => [], programRuns: () => [], attachments: () => [] };
    return new Metrics({ version: '', controller: this.controller, dataPlane, statistics: async () => new Map(), vms: () => ({ vms: [], problems: {} }) });
  }

  begin(): void {
    this.controller.forget();
    this.metrics = this.#daemon();
    this.lives += 1;
  }

  /** In the lowest row that is free, as the planner gives them. */
  take(name: string): void {
    const used = new Set(this.controller.vnics.map(({ id }) => id));
    let id = 1;
    while (used.has(id)) id++;
    this.rows.set(id, { vf: 0, tap: 0 });
    this.controller.vnics = [...this.controller.vnics, vnicStatus({ name, id, path: 'software', vf: null })];
  }

  /** The row stays as it is until it is somebody else's. */
  giveUp(name: string): void {
    this.controller.vnics = this.controller.vnics.filter((vnic) => vnic.name !== name);
  }

  plug(name: string): void {
    const other = (vf: string | null): string => (vf === 'vfp0' ? 'vfp1' : 'vfp0');
    this.controller.vnics = this.controller.vnics.map((vnic) => (vnic.name === name ? { ...vnic, path: 'accelerated', vf: other(vnic.vf) } : vnic));
    const fields = { path: 'accelerated', delivered: 3, stale: 1, lost: 0, waited_ms: 10 };
    this.controller.emit(monitorEvent({ kind: 'hold', vnic: name, fields }));
    this.controller.emit(monitorEvent({ kind: 'action', vnic: name, fields: { action: 'announce' } }));
  }

  send(name: string, frames: number): void {
    const vnic = this.controller.vnics.find((each) => each.name === name);
    const row = this.rows.get(vnic?.id ?? 0);
    if (vnic === undefined || row === undefined) throw new Error(`${name} is not here`);
    row[vnic.path === 'software' ? 'tap' : 'vf'] += frames;
  }
}

function tally(id: number, { vf, tap }: Row): VnicTally {
  const of = (frames: number) => ({ packets: frames, bytes: frames * 100 });
  const all = vf + tap;
  return {
    id, reasons: { redirect_rss: of(vf), pass_software: of(tap), drop_spoofed_mac: of(vf) }, tapQueues: [tap], vfQueues: [0, vf],
    fromTap: of(tap), fromVf: of(vf), cpuHandovers: all, flowsLearnt: all, flowsMoved: all, flowsReplaced: all, flowsExpired: all, pathChanges: all,
  };
}

const samplesOf = (text: string): Map<string, number> =>
  new Map(text.split('\n').flatMap((line) => {
    const at = line.lastIndexOf(' ');
    return OF_THE_KERNEL.test(line) || LOCAL.test(line) ? [[line.slice(0, at), Number(line.slice(at + 1))] as const] : [];
  }));

/** Sums the rises of a series as increase() does: one that is lower than before, or new, has begun at zero. */
class Watch {
  readonly #last = new Map<string, number>();
  readonly risen = new Map<string, number>();
  readonly resets: string[] = [];

  see(host: string, samples: ReadonlyMap<string, number>): void {
    for (const [series, value] of samples) {
      const key = `${host} ${series}`;
      const before = this.#last.get(key) ?? 0;
      if (value < before) this.resets.push(key);
      this.risen.set(series, (this.risen.get(series) ?? 0) + (value >= before ? value - before : value));
    }
    for (const key of [...this.#last.keys()]) if (key.startsWith(`${host} `)) this.#last.delete(key);
    for (const [series, value] of samples) this.#last.set(`${host} ${series}`, value);
  }
}

const vnic = fc.constantFrom(...VNICS);
const change = fc.oneof(
  fc.record({ kind: fc.constant('send' as const), vnic, frames: fc.integer({ min: 1, max: 1000 }) }),
  fc.record({ kind: fc.constant('plug' as const), vnic }),
  fc.record({ kind: fc.constant('move' as const), vnic }),
  fc.record({ kind: fc.constant('restart' as const), host: fc.constantFrom(...HOSTS) }),
);

test('counters rise by what was sent, whichever VF, host or daemon a vNIC has had', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async (changes) => {
      const hosts = { a: new Host(), b: new Host() };
      const homes = new Map<string, 'a' | 'b'>(VNICS.map((name) => [name, 'a']));
      for (const name of VNICS) hosts.a.take(name);
      const watch = new Watch();
      const sent = new Map<string, number>();
      const plugged = new Map<string, number>();
      const scrapeAll = async (): Promise<void> => {
        for (const name of HOSTS) watch.see(name, samplesOf(Buffer.concat(await hosts[name].metrics.render()).toString()));
      };
      const add = (to: Map<string, number>, name: string, by: number): void => void to.set(name, (to.get(name) ?? 0) + by);
      await scrapeAll();
      for (const each of changes) {
        if (each.kind === 'restart') hosts[each.host].begin();
        else {
          const home = homes.get(each.vnic) ?? 'a';
          if (each.kind === 'send') {
            hosts[home].send(each.vnic, each.frames);
            add(sent, each.vnic, each.frames);
          } else if (each.kind === 'plug') {
            hosts[home].plug(each.vnic);
            add(plugged, each.vnic, 1);
          } else {
            const to = home === 'a' ? 'b' : 'a';
            hosts[to].take(each.vnic);
            hosts[home].giveUp(each.vnic);
            homes.set(each.vnic, to);
          }
        }
        await scrapeAll();
      }
      const began = changes.some(({ kind }) => kind === 'restart');
      t.deepEqual(watch.resets.filter((series) => !began || OF_THE_KERNEL.test(series.slice(2))), [], 'only what a daemon counts itself begins anew with it');
      const risen = (pattern: RegExp): number => [...watch.risen].filter(([series]) => pattern.test(series)).reduce((sum, [, value]) => sum + value, 0);
      for (const name of VNICS) {
        const frames = sent.get(name) ?? 0;
        for (const metric of ['frames', 'queue_frames', 'flows_learnt', 'cpu_handovers', 'path_changes', 'transmit_frames']) {
          const counted = risen(new RegExp(`^unipath_vnic_${metric}_total\\{vnic="${name}"(?!.*drop_spoofed)`));
          t.is(counted, frames, `${metric} of ${name}`);
        }
        t.is(risen(new RegExp(`^unipath_vnic_transmit_bytes_total\\{vnic="${name}"`)), frames * 100);
        t.is(risen(new RegExp(`^unipath_announcements_total\\{vnic="${name}"`)), plugged.get(name) ?? 0);
        t.is(risen(new RegExp(`^unipath_hold_frames_total\\{vnic="${name}".*(delivered|stale)`)), 4 * (plugged.get(name) ?? 0));
      }
    }),
    { numRuns: 10 },
  );
});
