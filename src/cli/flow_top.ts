/** `unipath flow top`: the busiest flows, from a sample of the frames that pass by. */
import type { Command } from 'commander';
import { dissect, flowText } from '../capture/dissect.js';
import type { CapturedFrame } from '../capture/record.js';
import { runCaptor } from '../capture/run.js';
import { type Busy, BusyFlows } from '../capture/top.js';
import type { Names } from '../capture/words.js';
import { wholeNumber, wordOf } from './arguments.js';
import { filterOf, startCaptor } from './capture.js';
import { type Context, milliseconds } from './context.js';
import { offering } from './offers.js';
import { PINS_OPTION, siteOf } from './site.js';
import { scaled } from './words.js';

const SAMPLE = 64;
/** Headers with two VLAN tags and some extension headers. */
const SNAPLEN = 160;
/** Flows that are watched at once, and of these shown. */
const WATCHED = 1024;
const SHOWN = 20;
const INTERVAL_MS = 1000;
const ONCE_MS = 2000;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

const ORDERS = ['packets', 'bytes'] as const;

interface TopOptions {
  readonly vnic?: string;
  readonly seconds?: string;
  readonly sample?: string;
  readonly sort?: string;
  readonly number?: string;
  readonly once?: boolean;
  readonly pins?: string;
}

export function registerFlowTop(flow: Command, context: (command: Command) => Context): void {
  flow
    .command('top')
    .description('the busiest flows: rates are estimated from a sample of the frames')
    .option('--vnic <name>', 'only flows of or to this vNIC')
    .option('--seconds <number>', 'end after so much time')
    .option('--sample <number>', `one frame in so many, drawn at random (default: ${SAMPLE})`)
    .addOption(offering('--sort <packets|bytes>', 'default: packets', ORDERS))
    .option('--number <flows>', `how many are shown (default: ${SHOWN})`)
    .option('--once', `look for ${ONCE_MS / 1000} s, or for --seconds, and print once`)
    .option(...PINS_OPTION)
    .action(async (options: TopOptions, command: Command) => top(context(command), options));
}

/** What is shown of a flow: its last frame in words. */
interface Seen {
  readonly flow: string;
  readonly frame: CapturedFrame;
}

interface Row {
  readonly flow: string;
  readonly vnic: string | null;
  readonly in: string;
  readonly target: string | null;
  readonly queue: number | null;
  readonly reason: string | null;
  readonly packets_per_second: number;
  readonly bits_per_second: number;
  readonly sampled: number;
  /** So many more packets or bytes, by the order, may have been sampled before it was watched. */
  readonly sampled_before: number;
}

async function top(context: Context, options: TopOptions): Promise<void> {
  const sample = options.sample === undefined ? SAMPLE : wholeNumber(options.sample, '--sample', 1, 1_000_000);
  const shown = options.number === undefined ? SHOWN : wholeNumber(options.number, '--number', 1, WATCHED);
  const sort = options.sort === undefined ? 'packets' : wordOf('order', options.sort, ORDERS);
  const once = options.once === true;
  const asked = options.seconds === undefined ? null : milliseconds(options.seconds, '--seconds');
  const time = asked ?? (once ? ONCE_MS : null);
  const site = await siteOf(context, options.pins);
  const filter = filterOf(site, options.vnic === undefined ? {} : { vnic: options.vnic });
  const interrupted = context.io.interrupted();
  const captor = startCaptor(site, { ...filter, sample, snaplen: SNAPLEN });
  const flows = new BusyFlows<Seen>(WATCHED, sort);
  const screen = context.io.colour && !once && !context.json;
  let since = performance.now();
  let lost = captor.counts().lost;
  const print = (): void => {
    const counts = captor.counts();
    const seconds = (performance.now() - since) / 1000;
    const rows = flows.top(shown).map((flow) => rowOf(flow, site, sample, seconds));
    printTop(context, { rows, sample, seconds, lost: Number(counts.lost - lost), screen });
    flows.clear();
    [since, lost] = [performance.now(), counts.lost];
  };
  try {
    await runCaptor(
      captor,
      { count: null, milliseconds: time, interrupted },
      (frame) => note(flows, frame),
      () => {
        if (!once && performance.now() - since >= INTERVAL_MS) print();
        return false;
      },
    );
    if (once) print();
  } finally {
    captor.stop();
  }
}

function note(flows: BusyFlows<Seen>, frame: CapturedFrame): void {
  const seen = dissect(frame.bytes);
  if (seen === null) return;
  const vlan = seen.vlans.length === 0 ? '' : ` vlan ${seen.vlans.join('.')}`;
  const flow = seen.ip === null ? `${seen.from} > ${seen.to} ${seen.words ?? ''}`.trimEnd() : flowText(seen.ip);
  // The same frame may come in on several interfaces on its way: each of them is a flow of its own here.
  flows.add(`${frame.ifindex} ${flow}${vlan}`, frame.length, { flow: flow + vlan, frame });
}

function rowOf({ last: { flow, frame }, packets, bytes, over }: Busy<Seen>, names: Names, sample: number, seconds: number): Row {
  return {
    flow,
    vnic: frame.vnic === 0 ? null : names.vnic(frame.vnic),
    in: names.link(frame.ifindex),
    target: frame.targetIfindex === 0 ? null : names.link(frame.targetIfindex),
    queue: frame.queue,
    reason: frame.reason ?? frame.verdict,
    packets_per_second: Math.round((packets * sample) / seconds),
    bits_per_second: Math.round((bytes * 8 * sample) / seconds),
    sampled: packets,
    sampled_before: over,
  };
}

interface Page {
  readonly rows: readonly Row[];
  readonly sample: number;
  readonly seconds: number;
  readonly lost: number;
  readonly screen: boolean;
}

const countText = (flows: number): string => (flows === 0 ? 'no flow was seen in' : flows === 1 ? 'the busiest flow of' : `${flows} busiest flows of`);

function printTop(context: Context, { rows, sample, seconds, lost, screen }: Page): void {
  if (context.json) {
    return context.printJson({ estimated: sample > 1, sample, seconds: Math.round(seconds * 1000) / 1000, lost, flows: rows });
  }
  if (screen) context.io.out(CLEAR_SCREEN);
  const from = sample === 1 ? 'every frame' : `estimated from one frame in ${sample}`;
  context.printLine(
    `${countText(rows.length)} ${seconds.toFixed(1)} s, ${from}${lost === 0 ? '' : `; ${lost} sampled frames were lost`}`,
  );
  if (rows.length === 0) return;
  context.printTable(
    ['PACKETS/S', 'BITS/S', 'IN', 'TARGET', 'QUEUE', 'VNIC', 'REASON', 'FLOW'],
    rows.map((row) => [
      `${sample > 1 ? '~' : ''}${row.packets_per_second}`,
      scaled(row.bits_per_second),
      row.in,
      row.target ?? '-',
      row.queue === null ? '-' : String(row.queue),
      row.vnic ?? '-',
      row.reason ?? '-',
      row.flow,
    ]),
  );
}
