/** Captured frames as a pcapng file: the interfaces that are known first, then packets; a new interface when one turns up. */
import { arch, release, type as osType } from 'node:os';
import type { CaptureCounts } from './captor.js';
import { enhancedPacket, interfaceDescription, interfaceStatistics, sectionHeader } from './pcapng.js';
import type { CapturedFrame } from './record.js';
import { decisionText, type Names } from './words.js';

interface Interface {
  readonly number: number;
  delivered: bigint;
}

export class PcapngFile {
  readonly #write: (bytes: Buffer) => void;
  readonly #names: Names;
  readonly #snaplen: number;
  readonly #offsetNs: bigint;
  readonly #interfaces = new Map<number, Interface>();
  #packets = 0n;

  /** @param offsetNs from the frames' clock to the time of day */
  constructor(write: (bytes: Buffer) => void, application: string, names: Names, snaplen: number, offsetNs: bigint) {
    this.#write = write;
    this.#names = names;
    this.#snaplen = snaplen;
    this.#offsetNs = offsetNs;
    write(sectionHeader({ hardware: arch(), os: `${osType()} ${release()}`, application }));
  }

  /** Number of the interface in the file. */
  addInterface(ifindex: number): number {
    return this.#interface(ifindex).number;
  }

  add(frame: CapturedFrame): void {
    const found = this.#interface(frame.ifindex);
    found.delivered++;
    this.#write(
      enhancedPacket({
        interface: found.number,
        timeNs: frame.timeNs + this.#offsetNs,
        bytes: frame.bytes,
        length: frame.length,
        comment: decisionText(frame, this.#names),
        packetId: ++this.#packets,
        queue: frame.rxQueue,
        xdpVerdict: frame.code,
      }),
    );
  }

  /** What there was to know at the end. */
  end(startNs: bigint, endNs: bigint, { seen, sampled, matched, lost }: CaptureCounts): void {
    const comment = `of all interfaces: ${seen} frames seen, ${sampled} drawn, ${matched} wanted, ${lost} lost because the ring was full`;
    for (const { number, delivered } of this.#interfaces.values()) {
      const times = { startNs: startNs + this.#offsetNs, endNs: endNs + this.#offsetNs };
      this.#write(interfaceStatistics({ interface: number, ...times, delivered, comment }));
    }
  }

  #interface(ifindex: number): Interface {
    const known = this.#interfaces.get(ifindex);
    if (known !== undefined) return known;
    const made = { number: this.#interfaces.size, delivered: 0n };
    this.#interfaces.set(ifindex, made);
    this.#write(interfaceDescription({ name: this.#names.link(ifindex), snaplen: this.#snaplen }));
    return made;
  }
}
