/**
 * BPF_PROG_TEST_RUN in volume: the same buffers for every frame, and what `testRun` does not offer - frames in several buffers
 * whose first one is as short as wanted (Linux 6.18), and metadata before the frame, which takes headroom away.
 */
import { check } from './errors.js';
import { ffi } from './ffi.js';
import { libbpf } from './libbpf.js';
import type { BpfProgram } from './program.js';
import { testRunOpts, xdpMd } from './structs.js';

export interface FrameRun {
  readonly ingressIfindex: number;
  readonly rxQueue: number;
  /** Bytes of metadata before the frame: a multiple of 4, at most 252. Default 0. */
  readonly metadata?: number;
  /** Bytes in the first buffer; the rest is in further ones. Default: as much as the kernel puts there. */
  readonly firstBuffer?: number;
}

/** The kernel's test bed: a page without XDP_PACKET_HEADROOM and struct skb_shared_info. What is longer comes in several buffers. */
export const LARGEST_FIRST_BUFFER = 4096 - 256 - 320;
/** A program may put this much before the frame. */
const GROWTH = 256;

export class FrameRunner {
  readonly #opts = Buffer.alloc(testRunOpts.size);
  readonly #context = Buffer.alloc(xdpMd.size);
  readonly #input: Buffer;
  readonly #output: Buffer;
  #outputLength = 0;
  #metadata = 0;

  /** @param largest frame in bytes */
  constructor(largest: number) {
    const at = testRunOpts.at;
    this.#input = Buffer.alloc(largest + GROWTH);
    this.#output = Buffer.alloc(largest + 2 * GROWTH);
    this.#opts.writeBigUInt64LE(BigInt(testRunOpts.size), at.sz);
    this.#opts.writeBigUInt64LE(BigInt(ffi().addressOf(this.#input)), at.data_in);
    this.#opts.writeBigUInt64LE(BigInt(ffi().addressOf(this.#output)), at.data_out);
    this.#opts.writeBigUInt64LE(BigInt(ffi().addressOf(this.#context)), at.ctx_in);
    this.#opts.writeUInt32LE(this.#context.length, at.ctx_size_in);
    this.#opts.writeInt32LE(1, at.repeat);
  }

  /** Returns the XDP verdict. @throws NativeError EINVAL for a frame or an ingress device that the kernel does not take */
  run(program: BpfProgram, frame: Uint8Array, { ingressIfindex, rxQueue, metadata = 0, firstBuffer = frame.length }: FrameRun): number {
    const length = metadata + frame.length;
    this.#input.fill(0, 0, metadata);
    this.#input.set(frame, metadata);
    this.#context.writeUInt32LE(metadata, xdpMd.at.data);
    this.#context.writeUInt32LE(Math.min(metadata + firstBuffer, length), xdpMd.at.data_end);
    this.#context.writeUInt32LE(ingressIfindex, xdpMd.at.ingress_ifindex);
    this.#context.writeUInt32LE(rxQueue, xdpMd.at.rx_queue_index);
    this.#opts.writeUInt32LE(length, testRunOpts.at.data_size_in);
    this.#opts.writeUInt32LE(this.#output.length, testRunOpts.at.data_size_out);
    check('bpf_prog_test_run_opts', libbpf().bpf_prog_test_run_opts(program.fd, this.#opts), program.name);
    this.#outputLength = this.#opts.readUInt32LE(testRunOpts.at.data_size_out);
    this.#metadata = metadata;
    return this.#opts.readUInt32LE(testRunOpts.at.retval);
  }

  /** The frame after the last run, without the metadata; overwritten by the next one. */
  get output(): Buffer {
    return this.#output.subarray(this.#metadata, this.#outputLength);
  }
}
