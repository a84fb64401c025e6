/**
 * BPF_PROG_TEST_RUN of tc programs in volume: the same buffers for every frame, and what `testRun` does not offer - where the frame came
 * into the host, and that it stands for several. A VLAN tag beside the frame, or a frame in several buffers, the kernel does not make.
 */
import { check } from './errors.js';
import { ffi } from './ffi.js';
import { libbpf } from './libbpf.js';
import type { BpfProgram } from './program.js';
import { skBuff, testRunOpts } from './structs.js';

export interface SkbRun {
  /** The device that it is at. */
  readonly ifindex: number;
  /** Where it came into the host; 0 = it was made here. */
  readonly ingressIfindex: number;
  /** Payload bytes of each frame that it stands for; 0 = it is one. */
  readonly segmentSize: number;
}

/** The kernel's test bed: the headers of what says it is IP must be whole, and all lies in one page with what the kernel puts around. */
export const SHORTEST_SKB = 54;
export const LARGEST_SKB = 3520;

export class SkbRunner {
  readonly #opts = Buffer.alloc(testRunOpts.size);
  readonly #context = Buffer.alloc(skBuff.size);
  readonly #input = Buffer.alloc(LARGEST_SKB);
  readonly #output = Buffer.alloc(LARGEST_SKB);

  constructor() {
    const at = testRunOpts.at;
    this.#opts.writeBigUInt64LE(BigInt(testRunOpts.size), at.sz);
    this.#opts.writeBigUInt64LE(BigInt(ffi().addressOf(this.#input)), at.data_in);
    this.#opts.writeBigUInt64LE(BigInt(ffi().addressOf(this.#output)), at.data_out);
    this.#opts.writeBigUInt64LE(BigInt(ffi().addressOf(this.#context)), at.ctx_in);
    this.#opts.writeUInt32LE(this.#context.length, at.ctx_size_in);
    this.#opts.writeInt32LE(1, at.repeat);
  }

  /** Returns the tc action. @throws NativeError EINVAL for a frame that the kernel does not take, ENODEV without the device */
  run(program: BpfProgram, frame: Uint8Array, { ifindex, ingressIfindex, segmentSize }: SkbRun): number {
    this.#input.set(frame);
    this.#context.writeUInt32LE(ingressIfindex, skBuff.at.ingress_ifindex);
    this.#context.writeUInt32LE(ifindex, skBuff.at.ifindex);
    this.#context.writeUInt32LE(segmentSize, skBuff.at.gso_size);
    this.#opts.writeUInt32LE(frame.length, testRunOpts.at.data_size_in);
    this.#opts.writeUInt32LE(this.#output.length, testRunOpts.at.data_size_out);
    check('bpf_prog_test_run_opts', libbpf().bpf_prog_test_run_opts(program.fd, this.#opts), program.name);
    return this.#opts.readUInt32LE(testRunOpts.at.retval);
  }

  /** The frame after the last run, without a tag beside it; overwritten by the next one. */
  get output(): Buffer {
    return this.#output.subarray(0, this.#opts.readUInt32LE(testRunOpts.at.data_size_out));
  }
}
