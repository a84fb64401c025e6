/**
 * A compiled BPF object in five visible steps: open -> configure -> load -> (fill maps) -> (attach). The first two happen in
 * BpfObject.open(), the third in load(); the others are the caller's.
 */
import { readFileSync } from 'node:fs';
import { Descriptor } from './descriptor.js';
import { E } from './errno.js';
import { NativeError, VerifierError } from './errors.js';
import { explain } from './explain.js';
import type { Address } from './ffi_types.js';
import { libbpf } from './libbpf.js';
import { withMessages } from './libbpf_messages.js';
import * as opening from './open_object.js';
import type { Opened, OpenOptions } from './open_object.js';
import { BpfProgram } from './program.js';
import { RawMap } from './raw_map.js';

export type { OpenOptions } from './open_object.js';

const firstLogBytes = 1 << 20;
const lastLogBytes = 1 << 26;
const logGrowth = 4;

export class BpfObject {
  readonly path: string;
  readonly #elf: Buffer;
  readonly #options: OpenOptions;
  #opened: Opened | null;
  #state: 'opened' | 'loading' | 'loaded' | 'failed' = 'opened';
  #closeAfterLoad = false;
  readonly #maps = new Map<string, RawMap>();
  readonly #programs = new Map<string, BpfProgram>();

  private constructor(path: string, elf: Buffer, options: OpenOptions) {
    this.path = path;
    this.#elf = elf;
    this.#options = options;
    this.#opened = opening.openConfigured(path, elf, options, options.logBytes ?? firstLogBytes);
  }

  /**
   * Opens and configures; nothing is in the kernel yet.
   * @throws NativeError when the file is no BPF object, RangeError for an option that names no map or variable
   */
  static open(path: string, options: OpenOptions = {}): BpfObject {
    return new BpfObject(path, readFileSync(path), options);
  }

  /** The object's BTF as libbpf completed it: `.rodata` has its real offsets, which the file has not. */
  btf(): Buffer {
    return opening.readBtf(this.#address(), this.path);
  }

  /**
   * Makes the maps and verifies the programs, on another thread. Once only.
   * @throws VerifierError when a program was refused
   * @throws NativeError otherwise, e.g. EINVAL when a pinned map has other sizes
   */
  async load(): Promise<void> {
    if (this.#state !== 'opened') throw new Error(`${this.path} cannot be loaded again: it is ${this.#state}`);
    this.#open();
    this.#state = 'loading';
    try {
      await this.#loadWithLog();
      this.#state = 'loaded';
    } catch (error) {
      this.#state = 'failed';
      throw error;
    } finally {
      if (this.#closeAfterLoad) this.close();
    }
    if (this.#closeAfterLoad) throw new Error(`${this.path} was closed while it was loaded`);
  }

  async #loadWithLog(): Promise<void> {
    for (;;) {
      const opened = this.#open();
      const rc = await libbpf().bpf_object__load.async(opened.address);
      if (rc === -E.NOSPC && opened.logBytes < lastLogBytes) {
        // The log did not fit, and a failed object cannot be loaded again: a new one with more room.
        this.#opened = opening.openConfigured(this.path, this.#elf, this.#options, opened.logBytes * logGrowth);
        libbpf().bpf_object__close(opened.address);
        continue;
      }
      if (rc === 0) return;
      throwIfRefused(rc, this.path, opened.logs);
      this.#loadListening(rc);
      return;
    }
  }

  /** It was not the verifier: libbpf knows what, but says it only to who listens. So a second time, and on this thread. */
  #loadListening(firstRc: number): void {
    const failed = this.#open();
    const opened = opening.openConfigured(this.path, this.#elf, this.#options, failed.logBytes);
    this.#opened = opened;
    libbpf().bpf_object__close(failed.address);
    const { result, messages } = withMessages(() => libbpf().bpf_object__load(opened.address));
    if (result === 0) return;
    const reasons = [explain('bpf_object__load', -firstRc), ...messages].filter((reason) => reason !== null);
    throw new NativeError('bpf_object__load', -firstRc, this.path, reasons.join('; ') || null);
  }

  /** A map of the loaded object. The same handle on every call; it belongs to the object and is closed with it. */
  map(name: string): RawMap {
    return remember(this.#maps, name, () => {
      const map = opening.findMap(this.#address(), name, this.path);
      return new RawMap(this.#duplicate(libbpf().bpf_map__fd(map), `map ${name}`));
    });
  }

  /** Without those that libbpf made for sections such as `.rodata`. */
  mapNames(): string[] {
    return opening.listMapNames(this.#address());
  }

  /** A program of the loaded object. The same handle on every call; it belongs to the object and is closed with it. */
  program(name: string): BpfProgram {
    return remember(this.#programs, name, () => {
      const program = opening.findProgram(this.#address(), name, this.path);
      return new BpfProgram(this.#duplicate(libbpf().bpf_program__fd(program), `program ${name}`), name);
    });
  }

  programNames(): string[] {
    return opening.listProgramNames(this.#address());
  }

  /** Closes every map and program handle that came from it. What is pinned or attached by a link stays. */
  close(): void {
    if (this.#opened === null) return;
    if (this.#state === 'loading') {
      this.#closeAfterLoad = true; // another thread is in there
      return;
    }
    const opened = this.#opened;
    this.#opened = null;
    for (const map of this.#maps.values()) map.close();
    for (const program of this.#programs.values()) program.close();
    libbpf().bpf_object__close(opened.address);
  }

  #open(): Opened {
    if (this.#opened === null) throw new Error(`${this.path} is closed`);
    return this.#opened;
  }

  #address(): Address {
    if (this.#state === 'loading') throw new Error(`${this.path} is being loaded`);
    return this.#open().address;
  }

  #duplicate(fd: number, what: string): Descriptor {
    if (this.#state !== 'loaded' || fd < 0) throw new Error(`${what} of ${this.path} is not loaded`);
    return Descriptor.duplicate(fd, what);
  }
}

/** Names the program that the verifier refused, if it was that. */
function throwIfRefused(rc: number, path: string, logs: ReadonlyMap<string, Buffer>): void {
  for (const [program, buffer] of logs) {
    const log = opening.readText(buffer);
    if (log.length > 0) throw new VerifierError('bpf_object__load', -rc, `${path}, program ${program}`, log, program);
  }
}

function remember<T>(known: Map<string, T>, name: string, make: () => T): T {
  const present = known.get(name);
  if (present !== undefined) return present;
  const made = make();
  known.set(name, made);
  return made;
}
