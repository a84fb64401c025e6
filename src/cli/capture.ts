/** `unipath capture`: frames as they come in, with what the programs decide about them. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { reasonNames } from '../../maps/generated/contract.js';
import { Captor, CaptureBusyError, type CaptureCounts, type CaptureFilter, NothingToCaptureError } from '../capture/captor.js';
import { timeOfDay, wallClockOffsetNs } from '../capture/clock.js';
import { summarize } from '../capture/dissect.js';
import { PcapngFile } from '../capture/pcapng_file.js';
import { type CapturedFrame, MAX_SNAPLEN, verdictNames } from '../capture/record.js';
import { runCaptor } from '../capture/run.js';
import { decisionText, hex32, type Names } from '../capture/words.js';
import type { Site } from '../dataplane/site.js';
import { interfaceNamed, vnicNamed } from '../dataplane/site_names.js';
import { monotonicNs } from '../native/io.js';
import { version } from '../version.js';
import { wholeNumber, wordsOf } from './arguments.js';
import { type Context, milliseconds } from './context.js';
import { CliError, ExitCode } from './exit.js';
import { fileProblem } from './file_words.js';
import { offering } from './offers.js';
import { PINS_OPTION, siteOf } from './site.js';

/** Enough for the headers that a line shows. */
const LINE_SNAPLEN = 192;
const MOST = 2 ** 31;
/** Written to standard output and not yet taken: above this, the ring is left alone. */
const BACKLOG_BYTES = 16 * 1024 * 1024;

export interface CaptureOptions {
  readonly vnic?: string;
  readonly interface?: string;
  readonly reason?: string;
  readonly verdict?: string;
  readonly count?: string;
  readonly seconds?: string;
  readonly sample?: string;
  readonly snaplen?: string;
  readonly write?: string;
  readonly pins?: string;
}

export function registerCapture(program: Command, context: (command: Command) => Context): void {
  program
    .command('capture')
    .description('frames as they come in, with what the programs decide about them; until interrupted, or as many as asked for')
    .option('--vnic <name>', 'only frames of or for this vNIC')
    .option('--interface <dev>', 'only frames that come in on this interface')
    .addOption(offering('--reason <reason,...>', 'only frames decided for these reasons', Object.values(reasonNames), true))
    .addOption(offering('--verdict <verdict,...>', `only frames with these verdicts: ${verdictNames.join(', ')}`, verdictNames, true))
    .option('--count <number>', 'end after so many frames')
    .option('--seconds <number>', 'end after so much time')
    .option('--sample <number>', 'one frame in so many, drawn at random')
    .option('--snaplen <bytes>', `bytes of each frame (default: ${MAX_SNAPLEN}, and ${LINE_SNAPLEN} without --write)`)
    .option('--write <file>', 'as pcapng, for Wireshark and tshark; - is standard output')
    .option(...PINS_OPTION)
    .action(async (options: CaptureOptions, command: Command) => capture(context(command), options));
}

/** What the options that choose frames say. @throws CliError */
export function filterOf(site: Site, options: CaptureOptions): CaptureFilter {
  const vnic = options.vnic === undefined ? null : vnicNamed(site, options.vnic);
  const reasons = Object.values(reasonNames);
  return {
    // A VF behind the adapter's own switch has the uplink for its port: that is not where it alone sends.
    ...(vnic === null ? {} : { vnic: { ...vnic, vfIfindex: vnic.vfIfindex === vnic.uplinkIfindex ? 0 : vnic.vfIfindex } }),
    ...(options.interface === undefined ? {} : { ifindex: interfaceNamed(site, options.interface) }),
    ...(options.reason === undefined ? {} : { reasons: wordsOf('reason', options.reason, reasons) }),
    ...(options.verdict === undefined ? {} : { verdicts: wordsOf('verdict', options.verdict.toLowerCase(), verdictNames) }),
    sample: options.sample === undefined ? 1 : wholeNumber(options.sample, '--sample', 1, MOST),
  };
}

/** @throws CliError that says what to do */
export function startCaptor(site: Site, filter: CaptureFilter): Captor {
  try {
    const captor = Captor.start(site.pins, filter);
    // Whatever ends the process in JavaScript passes here.
    process.once('exit', () => captor.stop());
    return captor;
  } catch (error) {
    if (error instanceof CaptureBusyError) throw new CliError(error.message, 'busy', 'end it first');
    if (error instanceof NothingToCaptureError) throw new CliError(error.message, 'no_data_plane', 'start unipathd');
    throw error;
  }
}

/** Where packets go. */
interface Sink {
  write(bytes: Buffer): void;
  /** True: the reader has not taken what it got. */
  isBusy(): boolean;
  close(): void;
}

/** @throws CliError */
function opened(path: string): number {
  try {
    // What guests send is nobody else's business.
    return openSync(path, 'w', 0o600);
  } catch (error) {
    throw new CliError(`${path} cannot be written: ${fileProblem(error)}`, 'not_written', 'name another file');
  }
}

function fileSink(path: string): Sink {
  if (path === '-') {
    if (process.stdout.isTTY === true)
      throw new CliError('a terminal does not show pcapng', 'usage', 'name a file, or put a pipe behind', ExitCode.usage);
    return {
      write: (bytes) => void process.stdout.write(bytes),
      isBusy: () => process.stdout.writableLength > BACKLOG_BYTES,
      close: () => undefined,
    };
  }
  const fd = opened(path);
  return { write: (bytes) => void writeSync(fd, bytes), isBusy: () => false, close: () => closeSync(fd) };
}

async function capture(context: Context, options: CaptureOptions): Promise<void> {
  const count = options.count === undefined ? null : wholeNumber(options.count, '--count', 1, MOST);
  const time = options.seconds === undefined ? null : milliseconds(options.seconds, '--seconds');
  const site = await siteOf(context, options.pins);
  const snaplen =
    options.snaplen === undefined
      ? options.write === undefined
        ? LINE_SNAPLEN
        : MAX_SNAPLEN
      : wholeNumber(options.snaplen, '--snaplen', 1, MAX_SNAPLEN);
  const filter = { ...filterOf(site, options), snaplen };
  const output = options.write === undefined ? lines(context, site) : packets(options.write, site, snaplen);
  const interrupted = context.io.interrupted();
  const captor = startCaptor(site, filter);
  const started = monotonicNs();
  let shown = 0;
  try {
    const end = await runCaptor(
      captor,
      { count, milliseconds: time, interrupted },
      (frame) => {
        shown++;
        output.frame(frame);
      },
      output.isBusy,
    );
    const counts = captor.counts();
    output.end(started, counts);
    context.io.err(`${endText(shown, counts, filter.sample ?? 1)}\n`);
    if (end === 'replaced') throw new CliError('the programs were exchanged or taken down', 'replaced', 'start it again');
  } finally {
    captor.stop();
    output.close();
  }
}

function endText(shown: number, { seen, sampled, matched, lost }: CaptureCounts, sample: number): string {
  const drawn = sample === 1 ? '' : `, ${sampled} of them drawn`;
  const more = matched - lost > BigInt(shown) ? `, ${matched - lost - BigInt(shown)} more not shown` : '';
  const missing = lost === 0n ? 'none lost' : `${lost} lost because the ring was full`;
  return `${shown} frame${shown === 1 ? '' : 's'} captured${more}, ${missing}; ${seen} passed by${drawn}`;
}

interface Output {
  frame(frame: CapturedFrame): void;
  isBusy(): boolean;
  end(startNs: bigint, counts: CaptureCounts): void;
  close(): void;
}

function packets(path: string, names: Site & Names, snaplen: number): Output {
  const sink = fileSink(path);
  // One write per look at the ring, not one per packet.
  let waiting: Buffer[] = [];
  const flush = (): void => {
    if (waiting.length > 0) sink.write(Buffer.concat(waiting));
    waiting = [];
  };
  const file = new PcapngFile((bytes) => waiting.push(bytes), `unipath ${version}`, names, snaplen, wallClockOffsetNs());
  for (const ifindex of names.pins.listLinks()) file.addInterface(ifindex);
  return {
    frame: (frame) => file.add(frame),
    isBusy: () => {
      flush();
      return sink.isBusy();
    },
    end: (startNs, counts) => {
      file.end(startNs, monotonicNs(), counts);
      flush();
    },
    close: () => sink.close(),
  };
}

function lines(context: Context, names: Names): Output {
  const offsetNs = wallClockOffsetNs();
  return {
    frame: (frame) => (context.json ? context.printJson(frameJson(frame, names, offsetNs)) : printFrame(context, frame, names, offsetNs)),
    isBusy: () => process.stdout.writableLength > BACKLOG_BYTES,
    end: () => undefined,
    close: () => undefined,
  };
}

const VERDICT_STYLES = { aborted: 'bad', drop: 'bad', pass: 'busy', tx: 'good', redirect: 'good' } as const;

function printFrame(context: Context, frame: CapturedFrame, names: Names, offsetNs: bigint): void {
  const { verdict, code } = frame;
  const word = (verdict ?? String(code)).toUpperCase();
  context.printLine(
    { text: timeOfDay(frame.timeNs + offsetNs), style: 'quiet' },
    ` ${names.link(frame.ifindex)} ${summarize(frame.bytes, frame.length)} -> `,
    verdict === null ? word : { text: word, style: VERDICT_STYLES[verdict] },
    ` ${decisionText(frame, names)}`,
  );
}

function frameJson(frame: CapturedFrame, names: Names, offsetNs: bigint): object {
  const wallNs = frame.timeNs + offsetNs;
  return {
    time: new Date(Number(wallNs / 1_000_000n)).toISOString().replace(/\d{3}Z$/, `${String(wallNs % 1_000_000_000n).padStart(9, '0')}Z`),
    interface: names.link(frame.ifindex),
    rx_queue: frame.rxQueue,
    cpu: frame.cpu,
    length: frame.length,
    summary: summarize(frame.bytes, frame.length),
    verdict: frame.verdict,
    reason: frame.reason,
    vnic: frame.vnic === 0 ? null : names.vnic(frame.vnic),
    target: frame.targetIfindex === 0 ? null : names.link(frame.targetIfindex),
    queue: frame.queue,
    handed_to_cpu: frame.toCpu,
    hash: frame.hash === null ? null : hex32(frame.hash),
    bytes: frame.bytes.toString('hex'),
  };
}
