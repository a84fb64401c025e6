/**
 * Copies frames between the queues of a guest's tap and those of the taps that hosts have for it, queue by queue and in order.
 *
 * A frame is read only when the one before it was written, so nothing is ever dropped here: what the target does not take now
 * waits, and behind it everything else waits in the source's own ring. During a re-homing several hosts are attached: frames
 * from all of them reach the guest, the guest's own go to one.
 */

/** Largest frame of a tap with jumbo frames and a VLAN tag. */
const FRAME_BYTES = 65_536;
/** Frames of one direction of one queue before the next has its turn. */
const BATCH = 64;

/** Reading and writing of non-blocking descriptors. */
export interface FrameIo {
  /** Bytes read; 0 = nothing there now. */
  read(fd: number, into: Buffer): number;
  /** False = no room now. */
  write(fd: number, frame: Buffer, length: number): boolean;
  /** Did `error` say that the device is there but down? */
  isDown(error: unknown): boolean;
}

/** One direction of one queue. */
class Lane {
  readonly #io: FrameIo;
  readonly #from: number;
  /** Its own buffer, for the frame that waits. */
  readonly #frame = Buffer.allocUnsafeSlow(FRAME_BYTES);
  #waiting = 0;
  frames = 0;
  bytes = 0;
  /** Frames for a device that was down: no link, no delivery. */
  refused = 0;

  constructor(io: FrameIo, from: number) {
    this.#io = io;
    this.#from = from;
  }

  get blocked(): boolean {
    return this.#waiting > 0;
  }

  /** Moves up to a batch; returns how many frames were read. */
  pump(to: number): number {
    let moved = 0;
    if (this.#waiting > 0 && !this.#deliver(to)) return 0;
    while (moved < BATCH) {
      this.#waiting = this.#read();
      if (this.#waiting === 0) break;
      moved++;
      if (!this.#deliver(to)) break;
    }
    return moved;
  }

  #read(): number {
    try {
      return this.#io.read(this.#from, this.#frame);
    } catch (error) {
      // A device that is down has nothing to give.
      if (this.#io.isDown(error)) return 0;
      throw error;
    }
  }

  #deliver(to: number): boolean {
    try {
      if (!this.#io.write(to, this.#frame, this.#waiting)) return false;
      this.frames++;
      this.bytes += this.#waiting;
    } catch (error) {
      if (!this.#io.isDown(error)) throw error;
      this.refused++;
    }
    this.#waiting = 0;
    return true;
  }
}

interface HostTap {
  readonly netns: string;
  readonly tap: string;
  readonly fds: readonly number[];
  /** Toward the guest, by queue. */
  readonly toGuest: readonly Lane[];
  /** What the guest sent to this host, by queue. */
  readonly fromGuest: number[];
}

export interface LaneCount {
  readonly frames: number;
  readonly bytes: number;
  readonly refused: number;
}

export interface CopierStats {
  /** From the guest, by queue. */
  readonly fromGuest: readonly LaneCount[];
  readonly hosts: readonly {
    readonly netns: string;
    readonly tap: string;
    /** The guest's frames go here. */
    readonly current: boolean;
    readonly toGuest: readonly LaneCount[];
    /** Frames of the guest that this host got, by queue. */
    readonly fromGuest: readonly number[];
  }[];
}

const count = ({ frames, bytes, refused }: Lane): LaneCount => ({ frames, bytes, refused });

export class FrameCopier {
  readonly #io: FrameIo;
  readonly #guestFds: readonly number[];
  readonly #fromGuest: readonly Lane[];
  readonly #hosts: HostTap[] = [];
  #current: HostTap | null = null;

  /** @param guestFds one for each queue */
  constructor(io: FrameIo, guestFds: readonly number[]) {
    this.#io = io;
    this.#guestFds = guestFds;
    this.#fromGuest = guestFds.map((fd) => new Lane(io, fd));
  }

  get queues(): number {
    return this.#guestFds.length;
  }

  /** Everything that may become readable. */
  get fds(): readonly number[] {
    return [...this.#guestFds, ...this.#hosts.flatMap(({ fds }) => fds)];
  }

  /** A frame waits for its target: try again soon. */
  get blocked(): boolean {
    return this.#fromGuest.some((lane) => lane.blocked) || this.#hosts.some(({ toGuest }) => toGuest.some((lane) => lane.blocked));
  }

  /** Frames from this tap reach the guest from now on. The first one attached also gets the guest's. */
  attach(netns: string, tap: string, fds: readonly number[]): void {
    if (fds.length !== this.queues) throw new RangeError(`the guest has ${this.queues} queues, ${tap} has ${fds.length}`);
    if (this.#hosts.some((host) => host.netns === netns)) throw new RangeError(`a tap in ${netns} is attached already`);
    const host = { netns, tap, fds, toGuest: fds.map((fd) => new Lane(this.#io, fd)), fromGuest: fds.map(() => 0) };
    this.#hosts.push(host);
    this.#current ??= host;
  }

  /** The guest's frames go to the tap attached last, from the next one on. */
  switch(): { readonly netns: string; readonly fds: readonly number[] } {
    const newest = this.#hosts.at(-1);
    if (newest === undefined) throw new RangeError('no tap is attached');
    this.#current = newest;
    return newest;
  }

  /** Lets go of a tap and returns its descriptors, for the caller to close. Call drain() before. */
  detach(netns: string): readonly number[] {
    const host = this.#host(netns);
    if (host === this.#current && this.#hosts.length > 1) throw new RangeError(`the guest transmits to ${netns}: switch first`);
    this.#hosts.splice(this.#hosts.indexOf(host), 1);
    if (host === this.#current) this.#current = null;
    return host.fds;
  }

  /** Brings what waits in this host's rings to the guest; false when the guest did not take all of it. */
  drain(netns: string): boolean {
    const host = this.#host(netns);
    while (this.#pumpHost(host) > 0);
    return !host.toGuest.some((lane) => lane.blocked);
  }

  /** One turn for everyone; returns how many frames were read. */
  pump(): number {
    let moved = 0;
    const current = this.#current;
    if (current !== null) {
      for (let queue = 0; queue < this.#fromGuest.length; queue++) {
        const lane = this.#fromGuest[queue] as Lane;
        const before = lane.frames;
        moved += lane.pump(current.fds[queue] as number);
        current.fromGuest[queue] = (current.fromGuest[queue] ?? 0) + lane.frames - before;
      }
    }
    for (const host of this.#hosts) moved += this.#pumpHost(host);
    return moved;
  }

  stats(): CopierStats {
    return {
      fromGuest: this.#fromGuest.map(count),
      hosts: this.#hosts.map((host) => ({
        netns: host.netns,
        tap: host.tap,
        current: host === this.#current,
        toGuest: host.toGuest.map(count),
        fromGuest: [...host.fromGuest],
      })),
    };
  }

  #pumpHost({ toGuest }: HostTap): number {
    let moved = 0;
    for (let queue = 0; queue < toGuest.length; queue++) moved += (toGuest[queue] as Lane).pump(this.#guestFds[queue] as number);
    return moved;
  }

  #host(netns: string): HostTap {
    const host = this.#hosts.find((each) => each.netns === netns);
    if (host !== undefined) return host;
    throw new RangeError(`no tap in ${netns} is attached; there are: ${this.#hosts.map((each) => each.netns).join(', ')}`);
  }
}
