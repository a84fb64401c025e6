/** A BPF program that the kernel has verified. */
import { Descriptor } from './descriptor.js';
import { E } from './errno.js';
import { check } from './errors.js';
import { getProgramInfo, type ProgramInfo } from './info.js';
import { libbpf } from './libbpf.js';
import { openPin } from './open_pin.js';
import { type LiveFrames, sendLiveFrames, type TestRun, type TestRunResult, testRun, testRunAsync } from './test_run.js';

export class BpfProgram {
  readonly id: number;
  /** As in the source, when it came from an object; from a pin, the kernel's, cut to 15 characters. */
  readonly name: string;
  /** enum bpf_prog_type */
  readonly type: number;
  /** 16 hex digits that depend on the instructions alone. */
  readonly tag: string;
  /** Instructions that the verifier went through, on all ways together; it gives up after a million. */
  readonly verified: number;
  readonly #descriptor: Descriptor;

  /** Takes over the descriptor. */
  constructor(descriptor: Descriptor, name?: string) {
    const info = getProgramInfo(descriptor.fd, name ?? 'program');
    this.#descriptor = descriptor;
    this.id = info.id;
    this.type = info.type;
    this.tag = info.tag;
    this.verified = info.verified;
    this.name = name ?? info.name;
  }

  /** @throws NativeError ENOENT when there is no such pin, EINVAL when it is something else */
  static fromPin(path: string): BpfProgram {
    const descriptor = openPin(path, 'program');
    try {
      return new BpfProgram(descriptor);
    } catch (error) {
      descriptor.close();
      throw error;
    }
  }

  /** One that the kernel has, by its id; null when it has gone. */
  static fromId(id: number): BpfProgram | null {
    const fd = libbpf().bpf_prog_get_fd_by_id(id);
    if (fd === -E.NOENT) return null;
    return new BpfProgram(new Descriptor(check('bpf_prog_get_fd_by_id', fd, `program ${id}`), `program ${id}`));
  }

  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Since it was loaded, counted only while sysctl kernel.bpf_stats_enabled was 1. */
  runs(): ProgramInfo['runs'] {
    return getProgramInfo(this.fd, this.name).runs;
  }

  /** @throws NativeError EEXIST when the path is taken */
  pin(path: string): void {
    check('bpf_obj_pin', libbpf().bpf_obj_pin(this.fd, path), path);
  }

  /** Runs the program on one frame, `repeat` times. Blocks the event loop meanwhile. */
  testRun(run: TestRun): TestRunResult {
    return testRun(this, run);
  }

  /** The same on another thread, which keeps its network namespace and CPUs: see test_run.ts. */
  testRunAsync(run: TestRun): Promise<TestRunResult> {
    return testRunAsync(this, run);
  }

  /** Sends `repeat` frames through the program as if they had arrived on the device: its verdicts are carried out. */
  sendLiveFrames(frames: LiveFrames): Promise<{ durationNs: number }> {
    return sendLiveFrames(this, frames);
  }

  close(): void {
    this.#descriptor.close();
  }
}
