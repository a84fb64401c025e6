/** `unipath top`: every vNIC's traffic by path, as it changes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type ControlClient, DaemonUnreachableError, RequestError, RequestTimeoutError } from '../control/client.js';
import type { MonitorEvent } from '../control/protocol.js';
import { wholeNumber, wordOf } from './arguments.js';
import { type Context, milliseconds } from './context.js';
import { CliError, ExitCode } from './exit.js';
import { offering } from './offers.js';
import type { Terminal } from './terminal.js';
import { ratesBetween, type Sample, type TopRow } from './top_rates.js';
import { pageSize, picture, queuesText } from './top_screen.js';
import { chosenRows, FIRST_VIEW, INTERVALS_MS, press, type Sort, SORTS, type View } from './top_view.js';
import { degradations, scaled } from './words.js';

/** Events that are kept for a large terminal. */
const EVENTS_KEPT = 20;
const RECONNECT_MS = 1000;

interface TopOptions {
  readonly interval?: string;
  readonly sort?: string;
  readonly number?: string;
  readonly once?: boolean;
}

const KEYS = `
Keys: q quit; p b d i n sort by packets, bits, drops, imbalance of queues, name (again: the other way around); / filter by name,
a by path; up, down, page up, page down scroll; space pauses; + - set the pace; Esc shows all.
Columns: TAP and VF are frames from the guest by that port, and redirected to it; BRIDGE are frames left to the bridge, either way;
QUEUES-% is how frames to the guest were spread over the queues of its current path.
Without a terminal, with --once or with -j, a table or a JSON document is printed for each interval.`;

export function registerTop(program: Command, context: (command: Command) => Context): void {
  program
    .command('top')
    .description('vNICs, busiest first: paths, packets and bits per second, queues, drops, and what happens')
    .option('-i, --interval <seconds>', `default: ${FIRST_VIEW.intervalMs / 1000}`)
    .addOption(offering('--sort <order>', `${SORTS.join(', ')}; default: ${FIRST_VIEW.sort}`, SORTS))
    .option('--number <times>', 'without a terminal: end after so many intervals')
    .option('--once', 'print one interval')
    .addHelpText('after', KEYS)
    .action(async (options: TopOptions, command: Command) => top(context(command), options));
}

function viewOf({ interval, sort }: TopOptions): View {
  const intervalMs = interval === undefined ? FIRST_VIEW.intervalMs : milliseconds(interval, '--interval');
  const { least, most } = INTERVALS_MS;
  if (intervalMs < least || intervalMs > most) {
    throw new CliError(`--interval ${interval}: not from ${least / 1000} to ${most / 1000} seconds`, 'usage', null, ExitCode.usage);
  }
  return { ...FIRST_VIEW, intervalMs, sort: sort === undefined ? FIRST_VIEW.sort : wordOf<Sort>('order', sort, SORTS) };
}

async function top(context: Context, options: TopOptions): Promise<void> {
  const view = viewOf(options);
  const number = options.number === undefined ? null : wholeNumber(options.number, '--number', 1, 1_000_000);
  const times = options.once === true ? 1 : number;
  if (context.io.openTerminal !== undefined && !context.json && times === null) await new Screen(context, view).run();
  else await print(context, view, times ?? Number.POSITIVE_INFINITY);
}

async function sampleOf(client: ControlClient): Promise<Sample> {
  const [status, counters] = [await client.status(), await client.counters()];
  return { atMs: performance.now(), status, counters };
}

async function print(context: Context, view: View, times: number): Promise<void> {
  const client = context.client();
  const interrupted = context.io.interrupted();
  let before = await sampleOf(client);
  for (let i = 0; i < times; i++) {
    await sleep(view.intervalMs, undefined, { signal: interrupted }).catch(() => undefined);
    if (interrupted.aborted) return;
    const now = await sampleOf(client);
    const rows = chosenRows(ratesBetween(before, now), view);
    const seconds = Math.round(now.atMs - before.atMs) / 1000;
    if (context.json) context.printJson({ time: new Date().toISOString(), seconds, vnics: rows });
    else printRows(context, rows, i > 0);
    before = now;
  }
}

function printRows(context: Context, rows: readonly TopRow[], again: boolean): void {
  if (again) context.printLine('');
  context.printTable(
    ['VNIC', 'PATH', 'TAP-PPS', 'TAP-BPS', 'VF-PPS', 'VF-BPS', 'BRIDGE', 'DROPS', 'QUEUES-%', 'REASON'],
    rows.map(({ vnic, path, as_wanted, reason, tap, vf, bridge_packets_per_second, drops_per_second, queue_percents }) => [
      vnic,
      { text: path, style: as_wanted ? 'good' : 'busy' },
      ...[tap, vf].flatMap((rate) => [scaled(rate.packets_per_second), scaled(rate.bits_per_second)]),
      scaled(bridge_packets_per_second),
      scaled(drops_per_second),
      queuesText(queue_percents),
      reason === 'none' ? '-' : reason,
    ]),
  );
}

/** The view on a terminal: keeps itself up to date until a key ends it, also while the daemon is away. */
class Screen {
  readonly #context: Context;
  readonly #client: ControlClient;
  readonly #end = new AbortController();
  #view: View;
  #terminal: Terminal | null = null;
  #before: Sample | null = null;
  #rows: readonly TopRow[] = [];
  #events: readonly MonitorEvent[] = [];
  #problems: readonly string[] = [];
  /** Ends the wait for the next look. */
  #hurry = new AbortController();

  constructor(context: Context, view: View) {
    this.#context = context;
    this.#client = context.client();
    this.#view = view;
  }

  async run(): Promise<void> {
    // An error that is there from the start is better read on the usual screen.
    this.#before = await sampleOf(this.#client);
    this.#events = (await this.#client.recentEvents()).slice(-EVENTS_KEPT);
    const interrupted = this.#context.io.interrupted();
    interrupted.addEventListener('abort', () => this.#stop(), { once: true });
    this.#terminal = this.#context.io.openTerminal?.((key) => this.#pressed(key), () => this.#draw()) ?? null;
    try {
      this.#problems = degradations(this.#before.status);
      this.#rows = ratesBetween(this.#before, this.#before);
      this.#draw();
      await Promise.all([this.#follow(), this.#look()]);
    } finally {
      this.#stop();
      this.#terminal?.close();
    }
  }

  #stop(): void {
    this.#end.abort();
    this.#hurry.abort();
  }

  #pressed(key: Parameters<typeof press>[1]): void {
    const view = press(this.#view, key, pageSize(this.#terminal?.lines ?? 0));
    if (view === null) return this.#stop();
    const isFaster = view.intervalMs < this.#view.intervalMs || (this.#view.paused && !view.paused);
    this.#view = view;
    if (isFaster) this.#hurry.abort();
    this.#draw();
  }

  async #look(): Promise<void> {
    while (!this.#end.signal.aborted) {
      this.#hurry = new AbortController();
      await sleep(this.#view.intervalMs, undefined, { signal: this.#hurry.signal }).catch(() => undefined);
      if (this.#end.signal.aborted) return;
      if (this.#view.paused) continue;
      await this.#sample();
      this.#draw();
    }
  }

  async #sample(): Promise<void> {
    try {
      const now = await sampleOf(this.#client);
      this.#rows = ratesBetween(this.#before ?? now, now);
      this.#problems = degradations(now.status);
      this.#before = now;
    } catch (error) {
      this.#problems = [problemOf(error)];
      // What it was is not what it is; and what is counted meanwhile will not have happened in one interval.
      this.#rows = [];
      this.#before = null;
    }
  }

  async #follow(): Promise<void> {
    while (!this.#end.signal.aborted) {
      try {
        for await (const event of this.#client.events(this.#end.signal)) {
          this.#events = [...this.#events, event].slice(-EVENTS_KEPT);
          if (!this.#view.paused) this.#draw();
        }
      } catch (error) {
        problemOf(error);
      }
      await sleep(RECONNECT_MS, undefined, { signal: this.#end.signal }).catch(() => undefined);
    }
  }

  #draw(): void {
    if (this.#terminal === null || this.#end.signal.aborted) return;
    const { columns, lines } = this.#terminal;
    const time = new Date().toTimeString().slice(0, 8);
    const { colour } = this.#context;
    const all = { columns, lines, colour, time, rows: this.#rows, events: this.#events, problems: this.#problems, view: this.#view };
    this.#terminal.draw(picture(all));
  }
}

/** A daemon that is away may come back. @throws what is no such thing */
function problemOf(error: unknown): string {
  if (error instanceof DaemonUnreachableError || error instanceof RequestTimeoutError || error instanceof RequestError) return error.message;
  throw error;
}
