/**
 * Runs the scenario on a lab that is up: traffic from the first step to the last without a pause, each step cut out of it by
 * sequence numbers, everything that is learnt put together at the end.
 */
import { arch, cpus, release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { version } from '../../version.js';
import type { GuestKind } from '../model.js';
import { type Band, type RunEvent, type RunResults, RESULTS_SCHEMA, type StepResult } from '../results.js';
import { NEIGHBOUR, type Pace, SUBJECT, type ScenarioStep } from '../scenario.js';
import type { Mark, StepAccount, Traffic } from '../traffic/traffic.js';
import type { Lab } from '../up.js';
import { performChange, type Stage } from './changes.js';
import { ChangeFailedError, GuestDiedError, type Guests } from './guests.js';
import { Hosts } from './hosts.js';
import { readCounters, stepResult, type StepRecord } from './measure.js';
import type { Transition } from './path_follower.js';
import { NetnsGuests } from './netns_guests.js';
import type { Progress } from './progress.js';
import { QemuGuests } from './qemu_guests.js';
import { frameSeries, pathBands, tcpSeries } from './series.js';
import { type RunningTraffic, setUpTraffic } from './traffic_setup.js';
import { takeDaemonsDown } from './undo_check.js';

/** Guests whose path and steering are shown. */
const WATCHED = [SUBJECT, NEIGHBOUR];
/** For a guest to be on the path asked for; an emulated CPU is slow, and its links come late. */
const PATIENCE_MS: Readonly<Record<GuestKind, number>> = { netns: 10_000, qemu: 30_000 };
/** Traffic before the first step: connections and flow tables warm up, and it is counted nowhere. */
const WARM_UP_MS = 500;
const LOST_SHOWN = 3;

export interface RunOptions {
  readonly pace: Pace;
  readonly quick: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** At the end every unipathd shall take everything back; else they go on. */
  readonly takeDown: boolean;
  /** What the results shall tell besides what the run finds. */
  readonly notes: readonly string[];
}

const monotonicMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

class Run {
  readonly #records: StepRecord[] = [];
  readonly #events: RunEvent[] = [];
  readonly #places: Band[] = [];
  #startMs = 0;
  #redirectErrors = 0;

  constructor(
    readonly lab: Lab,
    readonly running: RunningTraffic,
    readonly stage: Omit<Stage, 'note' | 'stoodStill'>,
    readonly options: RunOptions,
  ) {}

  event(title: string, detail: string, tone: RunEvent['tone'], atMs = monotonicMs()): void {
    this.#events.push({ atMs: Math.max(0, atMs - this.#startMs), title, detail, tone });
  }

  async perform(steps: readonly ScenarioStep[]): Promise<RunResults> {
    const { traffic, tcp } = this.running;
    const failures: string[] = [];
    await traffic.start();
    await traffic.startTcp(tcp.id);
    await sleep(WARM_UP_MS);
    let from = await traffic.mark();
    this.#startMs = from.monotonicMs;
    try {
      for (const [index, step] of steps.entries()) {
        from = await this.#performStep(step, index, steps.length, from);
      }
    } catch (error) {
      if (this.options.signal.aborted || error instanceof GuestDiedError) throw error;
      this.#throwIfDead();
      failures.push(`the scenario ended early: ${(error as Error).message}`);
    }
    await traffic.stop();
    await traffic.stopTcp(tcp.id);
    const results = await this.#results(from, failures);
    if (!this.options.takeDown) return results;
    this.options.progress.doing('unipathd of every host takes everything back');
    return { ...results, failures: [...results.failures, ...(await takeDaemonsDown(this.lab, this.stage.hosts))] };
  }

  async #performStep(step: ScenarioStep, index: number, count: number, from: Mark): Promise<Mark> {
    const { traffic, tcp } = this.running;
    const { hosts, signal, guests } = this.stage;
    const { progress, pace } = this.options;
    const problems: string[] = [];
    const home = hosts.homeOf(SUBJECT);
    const tcpFrom = await traffic.tcpReport(tcp.id);
    progress.doing(`${index + 1}/${count} ${step.title}`);
    const eventsBefore = this.#events.length;
    let stoodStillMs = 0;
    const stage: Stage = {
      ...this.stage,
      note: (title, detail, tone) => this.event(title, detail, tone),
      stoodStill: (ms) => (stoodStillMs += ms),
    };
    for (const change of step.changes) {
      signal.throwIfAborted();
      try {
        await performChange(change, stage);
      } catch (error) {
        this.#throwIfDead();
        if (!(error instanceof ChangeFailedError)) throw error;
        problems.push(error.message);
      }
    }
    const countersFrom = await readCounters(hosts, WATCHED);
    await sleep(pace.holdSeconds * 1000, undefined, { signal });
    const countersTo = await readCounters(hosts, WATCHED);
    const vnics = new Map(await Promise.all(WATCHED.map(async (guest) => [guest, await hosts.vnic(guest)] as const)));
    const errorsBefore = this.#redirectErrors;
    this.#redirectErrors = await hosts.redirectErrors();
    const to = await traffic.mark();
    const record: StepRecord = {
      step,
      from,
      to,
      tcpFrom,
      tcpTo: await traffic.tcpReport(tcp.id),
      home: hosts.homeOf(SUBJECT),
      vnics,
      guestPaths: new Map([...guests.watches].map(([guest, watch]) => [guest, watch.path])),
      countersFrom,
      countersTo,
      redirectErrors: this.#redirectErrors - errorsBefore,
      stoodStillMs,
      problems,
    };
    this.#records.push(record);
    // What the changes themselves had to tell says more than the step's title.
    if (index > 0 && this.#events.length === eventsBefore) this.event(step.title, this.#pathDetail(from), 'change', from.monotonicMs);
    this.#place(from, to, home, record.home);
    const result = await this.#resultOf(record);
    this.#throwIfDead();
    progress.step(index, count, result);
    return to;
  }

  /** @throws GuestDiedError */
  #throwIfDead(): void {
    const death = this.stage.guests.death();
    if (death !== null) throw new GuestDiedError(death);
  }

  /** Who moved to which path since a mark, and how long after it. */
  #pathDetail(from: Mark): string {
    return [...this.stage.guests.watches]
      .flatMap(([guest, { transitions }]) => transitions.map((transition) => ({ guest, ...transition })))
      .filter(({ atNs }) => atNs / 1e6 >= from.monotonicMs)
      .map(({ guest, to, atNs }) => `${guest} on its ${to} path after ${Math.round(atNs / 1e6 - from.monotonicMs)} ms`)
      .join(', ');
  }

  #place(from: Mark, to: Mark, before: string, after: string): void {
    const moved = this.#events.findLast((event) => event.title.startsWith(`${SUBJECT} is on host`));
    const endMs = to.monotonicMs - this.#startMs;
    const startMs = from.monotonicMs - this.#startMs;
    const atMs = before !== after && moved !== undefined ? moved.atMs : startMs;
    const last = this.#places.at(-1);
    if (last?.label === `host ${after}`) this.#places[this.#places.length - 1] = { ...last, toMs: endMs };
    else {
      if (last !== undefined) this.#places[this.#places.length - 1] = { ...last, toMs: atMs };
      this.#places.push({ lane: 'host', fromMs: last === undefined ? 0 : atMs, toMs: endMs, label: `host ${after}`, tone: 'place' });
    }
  }

  async #resultOf(record: StepRecord): Promise<StepResult> {
    const account = await this.running.traffic.account(record.from, record.to);
    const lostWhere = await lostFrames(this.running.traffic, record, account);
    return stepResult(this.lab.spec, record, account, this.running.flows, this.#transitions(), this.#startMs, lostWhere);
  }

  #transitions(): Transition[] {
    return [...this.stage.guests.watches.values()].flatMap((watch) => watch.transitions);
  }

  async #results(end: Mark, failures: string[]): Promise<RunResults> {
    const { traffic, tcp, flows } = this.running;
    // Asked again now that nothing is on its way any more: these are the counts that hold.
    const steps: StepResult[] = [];
    for (const record of this.#records) steps.push(await this.#resultOf(record));
    const endMs = end.monotonicMs - this.#startMs;
    const report = await traffic.tcpReport(tcp.id);
    const lanes = [...this.stage.guests.watches].flatMap(([guest, { transitions }]) =>
      pathBands(guest, 'software', transitions, this.#startMs, endMs),
    );
    const wrongWords = report.client.wrongWords + report.server.wrongWords;
    if (!report.alive) failures.push(`the TCP connection broke: ${[...report.client.errors, ...report.server.errors].join('; ')}`);
    return {
      schema: RESULTS_SCHEMA,
      version,
      startedAt: new Date(Date.now() - (monotonicMs() - this.#startMs)).toISOString(),
      durationMs: endMs,
      quick: this.options.quick,
      guests: this.lab.spec.kind,
      machine: { kernel: `${release()} ${arch()}`, cpus: cpus().length, node: process.version },
      steps,
      series: [
        ...frameSeries(flows, await traffic.timelines(), this.#startMs),
        ...tcpSeries('world to g1', report.server.timeline, this.#startMs),
        ...tcpSeries('g1 to world', report.client.timeline, this.#startMs),
      ],
      bands: [...this.#places, ...lanes],
      events: this.#events.toSorted((a, b) => a.atMs - b.atMs),
      tcp: { bytes: report.client.bytesReceived + report.server.bytesReceived, wrongWords, alive: report.alive },
      notes: [...this.options.notes, ...redirectNotes(steps), ...(await this.#hostNotes()), ...(await this.stage.guests.notes()), ...(await this.#endpointNotes())],
      failures,
    };
  }

  /** What the daemons found worth saying about their hosts. */
  async #hostNotes(): Promise<string[]> {
    const notes: string[] = [];
    for (const { name, make } of this.lab.spec.hosts) {
      const status = await this.stage.hosts.client(name).status();
      for (const adapter of status.adapters) {
        if (adapter.fallback_reason === null) continue;
        notes.push(`host ${name}: XDP in ${adapter.xdp_mode ?? 'no'} mode on ${adapter.uplink}: ${adapter.fallback_reason}`);
      }
      if (make.queuesPerVf > cpus().length) {
        const machine = `VFs of make ${make.name} have ${make.queuesPerVf} queues and this machine ${cpus().length} CPUs`;
        notes.push(`host ${name}: ${machine}: the queues that no CPU reaches are left out`);
      }
    }
    return notes;
  }

  /** What went wrong at the ends, which is not the network's doing. */
  async #endpointNotes(): Promise<string[]> {
    const notes: string[] = [];
    for (const [name, endpoint] of this.running.endpoints) {
      const { errors, sent } = await endpoint.snapshot();
      const skipped = sent.reduce((sum, each) => sum + each.skipped, 0);
      const refused = sent.reduce((sum, each) => sum + each.sendErrors, 0);
      const why = sent.find((each) => each.lastError !== null)?.lastError;
      if (skipped > 0) notes.push(`${name} did not send ${skipped} frames because it was not let run in time`);
      if (refused > 0) notes.push(`${name}: the socket refused ${refused} frames (${why})`);
      if (errors.kernelBufferErrors > 0) notes.push(`${name}: ${errors.kernelBufferErrors} frames found the receive buffer full`);
      if (errors.kernelChecksumErrors > 0) notes.push(`${name}: ${errors.kernelChecksumErrors} frames arrived with a wrong checksum`);
      if (errors.misdelivered > 0) notes.push(`${name}: ${errors.misdelivered} frames arrived that were for somebody else`);
    }
    return notes;
  }
}

function redirectNotes(steps: readonly StepResult[]): string[] {
  return steps
    .filter((step) => step.redirectErrors > 0)
    .map(
      ({ title, redirectErrors }) =>
        `${title}: the kernel dropped ${redirectErrors} frames (TCP included) after a program had redirected them`,
    );
}

/** "world to g1 IPv4 flow 3: 1402-1408; ..." for the first few streams that lost frames. */
async function lostFrames(traffic: Traffic, { from, to }: StepRecord, account: StepAccount): Promise<string> {
  const words: string[] = [];
  for (const { flow, stream, account: counted } of account.streams) {
    if (counted.lost === 0) continue;
    if (words.length === LOST_SHOWN) return `${words.join('; ')}; ...`;
    const runs = await traffic.missing(from, to, flow.id, stream, LOST_SHOWN);
    const numbers = runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
    words.push(`${flow.from.address} to ${flow.to.address}${stream === 'echo' ? ' answers' : ''}: ${numbers}`);
  }
  return words.join('; ');
}

/**
 * Performs every step; a step that fails does not end the run, what cannot be done does.
 * @throws when aborted, when traffic cannot be set up, or when a guest has died of itself (GuestDiedError)
 */
export async function runScenario(lab: Lab, steps: readonly ScenarioStep[], options: RunOptions): Promise<RunResults> {
  const closers: (() => unknown)[] = [];
  try {
    options.progress.doing('starting traffic');
    const hosts = new Hosts(lab);
    const guests: Guests = await (lab.spec.kind === 'qemu' ? QemuGuests : NetnsGuests).open(lab, hosts, WATCHED);
    closers.push(() => guests.close());
    const running = await setUpTraffic(lab.place, lab.spec, guests);
    closers.push(() => running.close());
    const patienceMs = PATIENCE_MS[lab.spec.kind];
    const run = new Run(lab, running, { lab, hosts, guests, patienceMs, brokenVfs: [], signal: options.signal }, options);
    return await run.perform(steps);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
