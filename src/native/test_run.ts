/**
 * BPF_PROG_TEST_RUN: runs a program on a frame, or sends live frames through it.
 *
 * `ingressIfindex` is looked up in the network namespace of the thread that makes the call. The synchronous run uses the
 * thread of JavaScript; the asynchronous ones a thread of the pool, which is in the namespace the process was started in:
 * start the process with `nsenter --net=...` for these. The device must have its XDP receive queues set up (a veth: up, with an
 * XDP program or GRO on), else EINVAL. Programs for cpumap and devmap entries cannot be run this way (EINVAL).
 */
import { onCpu } from './affinity.js';
import { check } from './errors.js';
import { ffi } from './ffi.js';
import { libbpf } from './libbpf.js';
import type { BpfProgram } from './program.js';
import { ProgramType } from './program_types.js';
import { skBuff, testRunOpts, xdpMd } from './structs.js';

export interface TestRun {
  /** The frame from its destination MAC address on; at least 14 bytes. */
  readonly data: Buffer;
  /** Where it seems to have arrived. Default: the kernel's choice, the loopback device of the namespace. */
  readonly ingressIfindex?: number;
  /** Receive queue; XDP only, needs ingressIfindex. */
  readonly rxQueue?: number;
  /** Default 1. `durationNs` is the mean. */
  readonly repeat?: number;
  /** Runs there. Synchronous only. */
  readonly cpu?: number;
}

export interface TestRunResult {
  /** What the program returned: an XDP verdict, a tc action. */
  readonly verdict: number;
  /** The frame after the (last) run. */
  readonly data: Buffer;
  /** Mean per run, measured by the kernel. */
  readonly durationNs: number;
}

export interface LiveFrames {
  readonly data: Buffer;
  readonly ingressIfindex: number;
  readonly rxQueue?: number;
  /** Number of frames. */
  readonly repeat: number;
  /** Frames per poll of the made-up driver; the kernel's default is 64. */
  readonly batchSize?: number;
}

const BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1;
/** A program may grow the frame: by the headroom and the tailroom of a page. */
const growthBytes = 4096;

interface Prepared {
  readonly opts: Buffer;
  readonly output: Buffer;
  /** The opts hold only addresses: these must live as long. */
  readonly context: Buffer | null;
}

function makeContext(type: number, run: { data: Buffer; ingressIfindex?: number; rxQueue?: number }): Buffer | null {
  if (run.ingressIfindex === undefined) return null;
  if (type === ProgramType.XDP) {
    const context = Buffer.alloc(xdpMd.size);
    context.writeUInt32LE(run.data.length, xdpMd.at.data_end);
    context.writeUInt32LE(run.ingressIfindex, xdpMd.at.ingress_ifindex);
    context.writeUInt32LE(run.rxQueue ?? 0, xdpMd.at.rx_queue_index);
    return context;
  }
  const context = Buffer.alloc(skBuff.size);
  context.writeUInt32LE(run.ingressIfindex, skBuff.at.ingress_ifindex);
  context.writeUInt32LE(run.ingressIfindex, skBuff.at.ifindex);
  return context;
}

function writePointer(opts: Buffer, offset: number, target: Buffer): void {
  opts.writeBigUInt64LE(BigInt(ffi().addressOf(target)), offset);
}

function prepare(type: number, run: TestRun): Prepared {
  const at = testRunOpts.at;
  const opts = Buffer.alloc(testRunOpts.size);
  const context = makeContext(type, run);
  opts.writeBigUInt64LE(BigInt(testRunOpts.size), at.sz);
  writePointer(opts, at.data_in, run.data);
  opts.writeUInt32LE(run.data.length, at.data_size_in);
  if (context !== null) {
    writePointer(opts, at.ctx_in, context);
    opts.writeUInt32LE(context.length, at.ctx_size_in);
  }
  opts.writeInt32LE(run.repeat ?? 1, at.repeat);
  const output = Buffer.alloc(run.data.length + growthBytes);
  return { opts, output, context };
}

function prepareRun(type: number, run: TestRun): Prepared {
  const prepared = prepare(type, run);
  writePointer(prepared.opts, testRunOpts.at.data_out, prepared.output);
  prepared.opts.writeUInt32LE(prepared.output.length, testRunOpts.at.data_size_out);
  return prepared;
}

function readResult({ opts, output }: Prepared): TestRunResult {
  const at = testRunOpts.at;
  return {
    verdict: opts.readUInt32LE(at.retval),
    data: output.subarray(0, opts.readUInt32LE(at.data_size_out)),
    durationNs: opts.readUInt32LE(at.duration),
  };
}

export function testRun(program: BpfProgram, run: TestRun): TestRunResult {
  const prepared = prepareRun(program.type, run);
  const call = () => libbpf().bpf_prog_test_run_opts(program.fd, prepared.opts);
  const rc = run.cpu === undefined ? call() : onCpu(run.cpu, call);
  check('bpf_prog_test_run_opts', rc, program.name);
  return readResult(prepared);
}

export async function testRunAsync(program: BpfProgram, run: TestRun): Promise<TestRunResult> {
  if (run.cpu !== undefined) throw new TypeError('a test run on a chosen CPU is synchronous: use testRun');
  const prepared = prepareRun(program.type, run);
  check('bpf_prog_test_run_opts', await runHeld(program.fd, prepared, run.data), program.name);
  return readResult(prepared);
}

/** @throws NativeError EINVAL for a device without XDP receive queues, or a frame outside 14 .. ~3500 bytes */
export async function sendLiveFrames(program: BpfProgram, frames: LiveFrames): Promise<{ durationNs: number }> {
  const prepared = prepare(program.type, frames);
  prepared.opts.writeUInt32LE(BPF_F_TEST_XDP_LIVE_FRAMES, testRunOpts.at.flags);
  prepared.opts.writeUInt32LE(frames.batchSize ?? 0, testRunOpts.at.batch_size);
  check('bpf_prog_test_run_opts', await runHeld(program.fd, prepared, frames.data), program.name);
  return { durationNs: prepared.opts.readUInt32LE(testRunOpts.at.duration) };
}

/** Buffers that only the opts point at, held until their call is over: the garbage collector cannot see that C uses them. */
const inUse = new Set<readonly unknown[]>();

async function runHeld(fd: number, prepared: Prepared, data: Buffer): Promise<number> {
  const held = [prepared, data];
  inUse.add(held);
  try {
    return await libbpf().bpf_prog_test_run_opts.async(fd, prepared.opts);
  } finally {
    inUse.delete(held);
  }
}
