import test from 'ava';
import fc from 'fast-check';
import { VNICS_A_TURN } from '../../../src/metrics/collector.js';
import { Readings, SERIES_A_PIECE } from '../../../src/metrics/readings.js';
import { Metrics } from '../../../src/metrics/registry.js';
import { chunksOf, inTurns, type Steps } from '../../../src/metrics/turns.js';
import type { VnicTally } from '../../../src/dataplane/port.js';
import { FakeController, vnicStatus } from '../../support/fake_controller.js';

/** Counts the turns of the event loop until the test ends. */
function turnCounter(teardown: (undo: () => void) => void): () => number {
  let [turns, isOver] = [0, false];
  const next = (): void => {
    turns += 1;
    if (!isOver) setImmediate(next);
  };
  setImmediate(next);
  teardown(() => (isOver = true));
  return () => turns;
}

test('each step may be a turn of its own, also the last one and one that fails', async (t) => {
  const turns = turnCounter((undo) => t.teardown(undo));
  const at: number[] = [];
  function* steps(fail: boolean): Steps {
    for (let i = 0; i < 3; i++) {
      at.push(turns());
      yield;
    }
    if (fail) throw new Error('no more');
  }
  const took: number[] = [];
  await inTurns(steps(false), took, 0);
  at.push(turns());
  t.is(new Set(at).size, 4);
  t.is(took.length, 4);
  t.true(took.every((seconds) => seconds >= 0));
  await t.throwsAsync(inTurns(steps(true), took, 0), { message: 'no more' });
  t.is(took.length, 8);
});

test('short steps share a turn, and one that is long ends it', async (t) => {
  const turns = turnCounter((undo) => t.teardown(undo));
  const at: number[] = [];
  function* steps(): Steps {
    for (const isLong of [false, false, true, false]) {
      at.push(turns());
      for (const end = performance.now() + (isLong ? 1100 : 0); performance.now() < end; );
      yield;
    }
  }
  const took: number[] = [];
  await inTurns(steps(), took, 1000);
  t.is(new Set(at.slice(0, 3)).size, 1);
  t.true(at[3]! > at[2]!);
  t.is(took.length, 2);
});

test('chunks are as long as they may be, and all of it', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 10 }), (items, size) => {
      const chunks = [...chunksOf(items, size)];
      t.deepEqual(chunks.flat(), items);
      t.true(chunks.every((chunk, i) => chunk.length === size || (i === chunks.length - 1 && chunk.length > 0)));
    }),
  );
});

const nothing = { packets: 0, bytes: 0 };

function row(id: number): VnicTally {
  return {
    id, reasons: { pass_software: nothing }, tapQueues: [1], vfQueues: [1], fromTap: nothing, fromVf: nothing, cpuHandovers: 0,
    flowsLearnt: id, flowsMoved: 0, flowsReplaced: 0, flowsExpired: 0, pathChanges: 0,
  };
}

/** @param asked is told of every reading of rows */
function metricsOf(controller: FakeController, asked: (ids: readonly number[]) => void): Metrics {
  const tallies = (ids: readonly number[]): VnicTally[] => {
    asked(ids);
    return ids.map(row);
  };
  const dataPlane = { tallies, redirectErrors: () => [], guestDrops: () => [], eventsLost: () => 0n, mapUsage: () => [], programRuns: () => [], attachments: () => [] };
  return new Metrics({ version: '', turnMs: 0, controller, dataPlane, statistics: async () => new Map(), vms: () => ({ vms: [], problems: {} }) });
}

const host = (vnics: number): FakeController => {
  const controller = new FakeController();
  controller.vnics = Array.from({ length: vnics }, (_, i) => vnicStatus({ name: `g${i + 1}`, id: i + 1 }));
  return controller;
};

test('of a host with very many vNICs only a few are read in one turn, and the text comes in pieces', async (t) => {
  const turns = turnCounter((undo) => t.teardown(undo));
  const reads: { readonly turn: number; readonly ids: readonly number[] }[] = [];
  const controller = host(254);
  const metrics = metricsOf(controller, (ids) => reads.push({ turn: turns(), ids }));
  let briefs = 0;
  const briefTurns: number[] = [];
  controller.vnicBriefs = function* () {
    for (const vnic of controller.vnics) {
      if (briefs++ % VNICS_A_TURN === 0) briefTurns.push(turns());
      yield vnic;
    }
  };
  const pieces = (await metrics.render()).map(String);
  t.deepEqual(reads.flatMap(({ ids }) => ids), Array.from({ length: 255 }, (_, i) => i));
  t.true(reads.every(({ ids }) => ids.length <= VNICS_A_TURN));
  t.is(new Set(reads.map(({ turn }) => turn)).size, reads.length);
  t.is(briefs, 254);
  t.is(new Set(briefTurns).size, Math.ceil(254 / VNICS_A_TURN));
  for (const piece of pieces) t.true(piece.split('\n').filter((line) => /^[^#]/.test(line)).length <= SERIES_A_PIECE);
  t.true(pieces.length > 8);
  t.is(pieces.join('').match(/^unipath_vnic_flows_learnt_total\{/gm)?.length, 254);
});

test('a row that gets another owner during a scrape counts for the one that it has when it is read', async (t) => {
  const controller = host(2 * VNICS_A_TURN);
  const last = 2 * VNICS_A_TURN;
  const metrics = metricsOf(controller, (ids) => {
    // Before the turn in which its row is read.
    if (ids.includes(0)) controller.vnics = controller.vnics.map((vnic) => (vnic.id === last ? { ...vnic, name: 'other' } : vnic));
  });
  const text = Buffer.concat(await metrics.render()).toString();
  t.true(text.includes(`unipath_vnic_flows_learnt_total{vnic="other"} ${last}\n`));
  t.false(text.includes(`unipath_vnic_flows_learnt_total{vnic="g${last}"}`));
});

test('the longest turn of a scrape is told, and is no longer than all of it', async (t) => {
  const text = Buffer.concat(await metricsOf(host(20), () => undefined).render()).toString();
  const seconds = (name: string): number[] => [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].map(([, value]) => Number(value));
  const [longest = Number.NaN] = seconds('unipath_scrape_longest_turn_seconds');
  const ofCollectors = seconds('unipath_scrape_collector_duration_seconds');
  t.is(ofCollectors.length, 12);
  t.true(longest > 0 && longest >= Math.max(...ofCollectors) / 10, `${longest} of ${ofCollectors.join(', ')}`);
});

test('pieces: what is large is cut, what is small stays together, and nothing is lost', (t) => {
  const readings = new Readings();
  const large = readings.counter('large_total', 'L.', ['x']);
  readings.gauge('small', 'S.').set({}, 1);
  for (let i = 0; i < 2 * SERIES_A_PIECE + 1; i++) large.set({ x: String(i) }, i);
  const pieces = [...readings.pieces()].map(String);
  t.is(pieces.length, 3);
  t.is(pieces.join('').split('\n').filter((line) => line.startsWith('large_total{')).length, 2 * SERIES_A_PIECE + 1);
  t.true(pieces[2]?.endsWith('\n\n# HELP small S.\n# TYPE small gauge\nsmall 1\n\n'));
});
