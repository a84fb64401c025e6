/**
 * Captures from the pinned programs: says in maps what shall be captured, and reads the ring. One captor at a time per set of pins:
 * it holds a lock that ends with its process. What a captor that was killed leaves behind - the wish - has a date, after which the
 * programs themselves take it back.
 */
import {
  CaptureLimit,
  type CaptureConfig,
  captureConfigCodec,
  captureCountsCodec,
  ContractLimit,
  metaCodec,
  Reason,
} from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import { sumBlocks } from '../dataplane/tallies.js';
import { isNativeError } from '../native/errors.js';
import { FolderLock } from '../native/folder_lock.js';
import { monotonicNs } from '../native/io.js';
import { RawMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';
import { RingBuffer } from '../native/ring_buffer.js';
import { type CapturedFrame, MAX_SNAPLEN, type ReasonName, toCapturedFrame, type Verdict, verdictNames } from './record.js';

export interface CaptureFilter {
  readonly ifindex?: number;
  /** Frames that are counted for it, or come in on one of its ports; 0 = it has no such port. */
  readonly vnic?: { readonly id: number; readonly tapIfindex: number; readonly vfIfindex: number };
  readonly reasons?: readonly ReasonName[];
  readonly verdicts?: readonly Verdict[];
  /** One frame in so many, drawn at random. */
  readonly sample?: number;
  /** Bytes of each frame. */
  readonly snaplen?: number;
}

export interface CaptureCounts {
  /** Frames on the interfaces asked for. */
  readonly seen: bigint;
  /** Of these, drawn. */
  readonly sampled: bigint;
  /** Of these, by vNIC, verdict and reason. */
  readonly matched: bigint;
  /** Of these, not given out because the ring was full. */
  readonly lost: bigint;
}

/** Another process captures from these programs. */
export class CaptureBusyError extends Error {
  override readonly name = 'CaptureBusyError';
}

/** There are no programs to capture from. */
export class NothingToCaptureError extends Error {
  override readonly name = 'NothingToCaptureError';
}

const ONLY_ROW = encode(u32, 0);
const ALL = 0xffff_ffff;
/** How long the programs go on for a captor that does not come back. */
const LEASE_NS = 5_000_000_000n;
const RENEW_NS = 1_000_000_000n;

const MAPS = ['metas', 'capture_configs', 'capture_counters', 'capture_ring'] as const;
type Maps = Readonly<Record<(typeof MAPS)[number], RawMap>>;

function bits(numbers: readonly number[] | undefined): number {
  return numbers === undefined ? ALL : numbers.reduce((set, number) => set | (1 << number), 0) >>> 0;
}

function configOf(filter: CaptureFilter): Omit<CaptureConfig, 'untilNs'> {
  const { ifindex = 0, vnic, reasons, verdicts, sample = 1, snaplen = MAX_SNAPLEN } = filter;
  return {
    snaplen,
    sample,
    ifindex,
    vnic: vnic?.id ?? 0,
    tapIfindex: vnic?.tapIfindex ?? 0,
    vfIfindex: vnic?.vfIfindex ?? 0,
    reasons: bits(reasons?.map((name) => Reason[name.toUpperCase() as Uppercase<ReasonName>])),
    verdicts: bits(verdicts?.map((name) => verdictNames.indexOf(name))),
  };
}

export class Captor {
  readonly #maps: Maps;
  readonly #lock: FolderLock;
  readonly #ring: RingBuffer;
  readonly #config: Omit<CaptureConfig, 'untilNs'>;
  #renewAt = 0n;
  #attached = true;
  #stopped = false;

  private constructor(lock: FolderLock, maps: Maps, filter: CaptureFilter) {
    this.#lock = lock;
    this.#maps = maps;
    this.#config = configOf(filter);
    this.#ring = new RingBuffer(maps.capture_ring);
    // What a captor before us left there was not meant for us.
    setCapturing(maps.metas, CaptureLimit.OFF);
    this.#ring.consume(() => undefined);
    maps.capture_counters.set(ONLY_ROW, Buffer.alloc(maps.capture_counters.entrySize));
    this.#renew();
    setCapturing(maps.metas, CaptureLimit.FRAMES);
  }

  /**
   * @throws NothingToCaptureError when nothing is pinned there
   * @throws CaptureBusyError when another process captures
   */
  static start(pins: Pins, filter: CaptureFilter = {}): Captor {
    const lock = takeLock(pins);
    try {
      return new Captor(lock, openMaps(pins), filter);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Every frame that is ready; returns their number. To be called again and again: it also says that we are still here. */
  poll(onFrame: (frame: CapturedFrame) => void): number {
    if (this.#attached && monotonicNs() >= this.#renewAt) this.#renew();
    return this.#ring.consume((record) => onFrame(toCapturedFrame(record)));
  }

  counts(): CaptureCounts {
    const { capture_counters } = this.#maps;
    return captureCountsCodec.read(sumBlocks(capture_counters.get(ONLY_ROW) ?? Buffer.alloc(0), captureCountsCodec.size));
  }

  /** False when nothing more will come: the programs were exchanged or taken down, or we were away for too long. */
  isLive(): boolean {
    return readMeta(this.#maps.metas).capturing === CaptureLimit.FRAMES;
  }

  /** From now on nothing is captured; what is in the ring can still be polled. */
  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    setCapturing(this.#maps.metas, CaptureLimit.OFF);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.detach();
    this.#ring.close();
    for (const map of Object.values(this.#maps)) map.close();
    this.#lock.release();
  }

  #renew(): void {
    const now = monotonicNs();
    this.#renewAt = now + RENEW_NS;
    this.#maps.capture_configs.set(ONLY_ROW, encode(captureConfigCodec, { ...this.#config, untilNs: now + LEASE_NS }));
  }
}

function readMeta(metas: RawMap): ReturnType<typeof metaCodec.read> {
  return metaCodec.read(metas.get(ONLY_ROW) ?? Buffer.alloc(metaCodec.size));
}

function setCapturing(metas: RawMap, capturing: number): void {
  metas.set(ONLY_ROW, encode(metaCodec, { ...readMeta(metas), capturing }));
}

function takeLock(pins: Pins): FolderLock {
  let lock: FolderLock | null;
  try {
    lock = FolderLock.take(pins.folder);
  } catch (error) {
    if (!isNativeError(error, 'ENOENT')) throw error;
    throw new NothingToCaptureError(`nothing is pinned at ${pins.folder}`);
  }
  if (lock === null) throw new CaptureBusyError(`another process captures from the programs at ${pins.folder}`);
  return lock;
}

function openMaps(pins: Pins): Maps {
  const open: Record<string, RawMap> = {};
  try {
    for (const name of MAPS) open[name] = RawMap.fromPin(pins.map(name));
    const { metas, capture_configs } = open as Maps;
    const whole =
      metas.valueSize === metaCodec.size &&
      capture_configs.valueSize === captureConfigCodec.size &&
      readMeta(metas).contractVersion === ContractLimit.CONTRACT_VERSION;
    if (whole) return open as Maps;
  } catch (error) {
    if (!isNativeError(error, 'ENOENT')) throw error;
  }
  for (const map of Object.values(open)) map.close();
  throw new NothingToCaptureError(`the programs at ${pins.folder} are not whole, or of another version`);
}
