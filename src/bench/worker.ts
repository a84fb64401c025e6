/**
 * The process that measures. Started by main.ts inside the host's network namespace and on one CPU, because the thread that sends
 * frames keeps both. Takes its options as JSON in argv, prints a WorkerReport as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { runJson } from '../host/exec.js';
import { type MeasuredProgram, PROGRAMS, type Round, type Sample, type Way, WAYS, type WorkerOptions, type WorkerReport } from './model.js';
import { NAMES } from './stage.js';
import { openSink, type Sink } from './sink.js';
import { checkArrivals } from './stats.js';
import { readCpuTimes, stealShare } from './steal.js';
import { type Ifindexes, type Measured, Subject } from './subject.js';

/** Of the frames of a way, at least this share must have been steered in that way: two flows may share a slot of the flow table. */
const MIN_STEERED = 0.95;
const WARM_UP_FRAMES = 20_000;
const PROGRAM_RUNS = 300_000;
/** The other CPU may still work on what it was handed, and may not get to it at once on a busy machine. */
const SETTLE_STEP_MS = 2;
const QUIET_STEPS = 20;

async function ifindexOf(netnsArgs: readonly string[], name: string): Promise<number> {
  const [link] = (await runJson('ip', [...netnsArgs, '-j', 'link', 'show', 'dev', name])) as { ifindex: number }[];
  if (link === undefined) throw new Error(`no interface ${name}`);
  return link.ifindex;
}

async function findIfindexes(guestNetns: string): Promise<Ifindexes> {
  return {
    uplink: await ifindexOf([], NAMES.uplink),
    port: await ifindexOf([], NAMES.port),
    device: await ifindexOf(['-n', guestNetns], NAMES.device),
  };
}

/** Frames at the sink once `wanted` are there, or once none has come for a while. */
async function settledArrivals(sink: Sink, wanted: number): Promise<number> {
  let seen = sink.arrived();
  for (let quiet = 0; seen < wanted && quiet < QUIET_STEPS; quiet++) {
    await sleep(SETTLE_STEP_MS);
    const now = sink.arrived();
    if (now !== seen) quiet = 0;
    seen = now;
  }
  return seen;
}

async function send(subject: Subject, { program, frame }: Measured, frames: number): Promise<number> {
  const { durationNs } = await program.sendLiveFrames({ data: frame, ingressIfindex: subject.uplinkIfindex, repeat: frames });
  return durationNs;
}

async function measureWay(subject: Subject, sink: Sink, way: Way, frames: number, cpu: number): Promise<Sample> {
  const measured = subject.ways.get(way)!;
  const [arrivedBefore, steeredBefore, timesBefore] = [sink.arrived(), subject.steered(way), readCpuTimes(cpu)];
  const nsPerFrame = await send(subject, measured, frames);
  const steal = stealShare(timesBefore, readCpuTimes(cpu));
  const arrived = (await settledArrivals(sink, arrivedBefore + frames)) - arrivedBefore;
  const sample = { sent: frames, arrived, nsPerFrame, steal };
  checkArrivals(way, sample);
  const steeredAfter = subject.steered(way);
  if (steeredBefore !== null && steeredAfter !== null && steeredAfter - steeredBefore < frames * MIN_STEERED) {
    throw new Error(`${way}: of ${frames} frames only ${steeredAfter - steeredBefore} were steered that way`);
  }
  return sample;
}

function measureProgram(subject: Subject, { program, frame }: Measured): number {
  return program.testRun({ data: frame, ingressIfindex: subject.uplinkIfindex, repeat: PROGRAM_RUNS }).durationNs;
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function measure(options: WorkerOptions): Promise<WorkerReport> {
  const ifindexes = await findIfindexes(options.guestNetns);
  const subject = await Subject.prepare(ifindexes, options);
  const place = { netns: options.guestNetns, device: NAMES.device, ifindex: ifindexes.device };
  const sink = await openSink(options.sink, subject.bench, place);
  try {
    const frames = new Map<Way, number>();
    for (const [way, measured] of subject.ways) {
      const before = sink.arrived();
      const nsPerFrame = await send(subject, measured, WARM_UP_FRAMES);
      await settledArrivals(sink, before + WARM_UP_FRAMES);
      frames.set(way, Math.max(WARM_UP_FRAMES, Math.round(options.sliceNs / nsPerFrame)));
    }
    const rounds: Round[] = [];
    for (let i = 0; i < options.rounds; i++) {
      const ways: Partial<Record<Way, Sample>> = {};
      // Forth and back, so that a machine that slows down favours nobody.
      for (const way of (i % 2 === 0 ? WAYS : WAYS.toReversed()).filter((candidate) => frames.has(candidate))) {
        ways[way] = await measureWay(subject, sink, way, frames.get(way) ?? WARM_UP_FRAMES, options.cpu);
      }
      const programs: Partial<Record<MeasuredProgram, number>> = {};
      for (const name of PROGRAMS) {
        const measured = subject.programs.get(name);
        if (measured !== undefined) programs[name] = measureProgram(subject, measured);
      }
      rounds.push({ ways, programs });
      showProgress(`round ${i + 1} of ${options.rounds}`);
    }
    showProgress('');
    return { rounds };
  } finally {
    sink.close();
    subject.close();
  }
}

try {
  process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? '{}') as WorkerOptions)));
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
