/**
 * What every panel shows of a lab with traffic, VFs that come, go and die, a daemon that is killed and a guest that goes to other hosts. A real
 * Prometheus has scraped its daemons.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { labDown } from '../../src/lab/down.js';
import { type GuestKind, labOf } from '../../src/lab/model.js';
import { hostSocketPath, labPlace, type LabPlace } from '../../src/lab/place.js';
import type { Progress } from '../../src/lab/run/progress.js';
import { runScenario } from '../../src/lab/run/runner.js';
import { type Pace, scenarioFor, SUBJECT } from '../../src/lab/scenario.js';
import { labUp } from '../../src/lab/up.js';
import { measureRuns } from '../../src/native/run_statistics.js';
import { forwardScrapes } from '../live/forward.js';
import { Prometheus, type Series } from '../live/prometheus.js';
import { filledIn, rulesFile, targetsOf } from '../queries.js';
import { type NamedPanel, panelsNamed, type PanelData, type Recording } from './model.js';

const PACE: Readonly<Record<GuestKind, Pace>> = {
  netns: { holdSeconds: 1.5, deadSeconds: 2 },
  qemu: { holdSeconds: 3, deadSeconds: 2 },
};
/** Steps that show nothing which others do not, and take long. */
const LEFT_OUT: Readonly<Record<GuestKind, readonly string[]>> = { netns: [], qemu: ['unplug', 'plug-again', 'plug-b', 'migrate-d', 'plug-d'] };
/** A scrape a second; rates are of this many seconds. */
const RATE_SECONDS = 5;
const SCRAPES_MS = 2_500;
/** Points of a line. */
const POINTS = 90;

/** As somebody would who looks at one host, or at the guest that travels. */
function variablesOf(dashboard: string): Readonly<Record<string, string>> {
  return { instance: dashboard === 'host' ? 'a' : '.+', vnic: dashboard === 'vnic' ? SUBJECT : '.+', __rate_interval: `${RATE_SECONDS}s`, __range: '5m' };
}

async function dataOf({ dashboard, panel }: NamedPanel, prometheus: Prometheus, from: number, to: number): Promise<PanelData> {
  const step = Math.max(1, (to - from) / POINTS);
  return Promise.all(
    targetsOf(panel).map(({ expr = '', instant = false }): Promise<Series[]> => {
      const query = filledIn(expr, variablesOf(dashboard));
      return instant ? prometheus.query(query, to) : prometheus.queryRange(query, from, to, step);
    }),
  );
}

type Undo = (() => void | Promise<unknown>)[];

/** Up, and through its scenario, of which what fails is told. */
async function perform(place: LabPlace, kind: GuestKind, undo: Undo, progress: Progress, signal: AbortSignal): Promise<void> {
  undo.push(() => labDown(place));
  progress.doing(`a lab with guests of ${kind} comes up`);
  const lab = await labUp(place, { spec: labOf(kind), signal });
  undo.push(() => lab.journal.close());
  const steps = scenarioFor(kind, PACE[kind]).filter(({ name }) => !LEFT_OUT[kind].includes(name));
  try {
    await runScenario(lab, steps, { pace: PACE[kind], quick: true, progress, signal, takeDown: false, notes: [] });
  } catch (error) {
    signal.throwIfAborted();
    // What was seen until then is worth its pictures.
    progress.line((error as Error).message);
  }
}

/** @param kind what the guests of the lab are */
export async function record(kind: GuestKind, progress: Progress, signal: AbortSignal): Promise<Recording> {
  const undo: Undo = [];
  try {
    const statistics = measureRuns();
    undo.push(() => statistics.close());
    const place = labPlace(`gallery${kind}`);
    const hosts = labOf(kind).hosts.map(({ name }) => name);
    const forwarder = await forwardScrapes(new Map(hosts.map((host) => [`/${host}`, hostSocketPath(place, host)])));
    undo.push(() => forwarder.close());
    const prometheus = await Prometheus.start(hosts.map((host) => ({ instance: host, address: forwarder.address, path: `/${host}` })), rulesFile);
    undo.push(() => prometheus.close());
    const from = Date.now() / 1000;
    await perform(place, kind, undo, progress, signal);
    await sleep(SCRAPES_MS);
    const to = Date.now() / 1000;
    progress.doing('every panel is asked for');
    const panels: Record<string, PanelData> = {};
    for (const named of panelsNamed()) panels[named.name] = await dataOf(named, prometheus, from, to);
    return { from, to, panels };
  } finally {
    progress.doing('everything is taken down');
    for (const work of undo.toReversed()) await work();
  }
}
