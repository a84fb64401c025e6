/** XDP programs on devices: attached once, pinned by ifindex, taken over after a restart. */
import { ForeignProgramError, NativeError } from '../native/errors.js';
import { queryXdp, type XdpAttachMode, XdpLink } from '../native/link.js';
import type { Pins } from '../native/pins.js';
import { BpfProgram } from '../native/program.js';
import type { AttachMode } from '../core/model.js';
import { boundPin, listBound } from './bound_program.js';
import type { Attachment, ProgramName, ProgramRuns } from './port.js';

/** `auto`: native, and generic where the driver refuses it. */
export type XdpModeChoice = 'auto' | XdpAttachMode;

const PROGRAM_NAMES = ['steer_uplink', 'steer_guest'] as const satisfies readonly ProgramName[];
type SharedProgram = (typeof PROGRAM_NAMES)[number];

export type SteeringPrograms = Readonly<Record<SharedProgram, BpfProgram>>;

interface Attached {
  readonly link: XdpLink;
  readonly attachment: Attachment;
}

export class Attachments {
  readonly #pins: Pins;
  readonly #programs: SteeringPrograms;
  readonly #mode: XdpModeChoice;
  readonly #attached = new Map<number, Attached>();
  /** steer_uplink_hw of each device that has one. */
  readonly #bound = new Map<number, BpfProgram>();

  constructor(pins: Pins, programs: SteeringPrograms, mode: XdpModeChoice) {
    this.#pins = pins;
    this.#programs = programs;
    this.#mode = mode;
  }

  /** Takes over the pinned links; drops those whose device is gone. @throws Error for a link whose program is not ours */
  adopt(): void {
    for (const ifindex of listBound(this.#pins)) this.#bound.set(ifindex, BpfProgram.fromPin(boundPin(this.#pins, ifindex)));
    for (const ifindex of this.#pins.listLinks()) {
      const link = XdpLink.fromPin(this.#pins.link(ifindex));
      const { ifindex: present, programId } = link.info();
      if (present === 0) {
        link.close();
        this.#pins.remove(this.#pins.link(ifindex));
        continue;
      }
      const program = this.#bound.get(ifindex)?.id === programId ? 'steer_uplink_hw' : PROGRAM_NAMES.find((name) => this.#programs[name].id === programId);
      if (program === undefined) {
        link.close();
        throw new Error(`${this.#pins.link(ifindex)} runs program ${programId}, which is none of unipath's; remove this pin to detach it`);
      }
      const mode = queryXdp(ifindex)?.mode === 'generic' ? 'generic' : 'native';
      const fallbackReason = mode === 'generic' ? 'attached in generic mode by an earlier daemon' : null;
      this.#attached.set(ifindex, { link, attachment: { ifindex, program, mode, fallbackReason, insteadOf: null } });
    }
    for (const ifindex of [...this.#bound.keys()]) if (this.#attached.get(ifindex)?.attachment.program !== 'steer_uplink_hw') this.#unbind(ifindex);
  }

  /**
   * A device that runs the other of our programs gets this one in its place, without a moment of neither.
   * @throws ForeignProgramError when the device has a program that is not ours
   * @throws NativeError when the device is gone, or takes XDP in no mode that is allowed
   */
  attach(program: SharedProgram, ifindex: number, name: string, mode: AttachMode): Attachment {
    this.#dropDead(ifindex);
    const present = this.#attached.get(ifindex);
    if (present === undefined) return this.#attachNew(program, ifindex, name, mode);
    if (present.attachment.program !== program) present.link.replace(this.#programs[program], this.#handle(present.attachment));
    if (present.attachment.program === 'steer_uplink_hw') this.#unbind(ifindex);
    return this.#remember(present.link, { ...present.attachment, program, insteadOf: null });
  }

  /**
   * Puts a device's own program in the place of steer_uplink.
   * @param bind loads and pins it; null: there is none to be had
   * @param refused told why it cannot run there; steer_uplink goes on then
   */
  async attachBound(ifindex: number, name: string, bind: ((ifindex: number) => Promise<BpfProgram>) | null, refused: (why: string) => void): Promise<Attachment> {
    const program = 'steer_uplink_hw';
    const plain = this.attach('steer_uplink', ifindex, name, 'as-configured');
    const instead = (why: string): Attachment => {
      refused(why);
      this.#unbind(ifindex);
      return this.#remember(this.#link(ifindex), { ...plain, insteadOf: program });
    };
    if (plain.mode !== 'native') return instead('it runs in generic mode');
    if (bind === null) return instead('there is no such program');
    try {
      const bound = await bind(ifindex);
      this.#bound.set(ifindex, bound);
      this.#link(ifindex).replace(bound, this.#programs.steer_uplink);
      return this.#remember(this.#link(ifindex), { ...plain, program });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return instead(error.message);
    }
  }

  detach(ifindex: number): void {
    const present = this.#attached.get(ifindex);
    if (present === undefined) return;
    this.#attached.delete(ifindex);
    // The pin first: as long as the descriptor is open, the link is whole.
    this.#pins.remove(this.#pins.link(ifindex));
    present.link.close();
    if (present.attachment.program === 'steer_uplink_hw') this.#unbind(ifindex);
  }

  list(): Attachment[] {
    this.#dropDead();
    return [...this.#attached.values()].map(({ attachment }) => attachment);
  }

  /** Of all devices together; none where no device has its own. */
  boundRuns(): ProgramRuns[] {
    const all = [...this.#bound.values()].map((bound) => bound.runs());
    if (all.length === 0) return [];
    const sum = (each: (runs: (typeof all)[number]) => bigint): bigint => all.reduce((total, runs) => total + each(runs), 0n);
    return [{ program: 'steer_uplink_hw', count: sum(({ count }) => count), nanoseconds: sum(({ nanoseconds }) => nanoseconds) }];
  }

  /** Closes the descriptors; the pins hold the links. */
  close(): void {
    for (const { link } of this.#attached.values()) link.close();
    for (const bound of this.#bound.values()) bound.close();
    this.#attached.clear();
    this.#bound.clear();
  }

  #link(ifindex: number): XdpLink {
    const present = this.#attached.get(ifindex);
    if (present === undefined) throw new Error(`nothing is attached to ifindex ${ifindex} any more`);
    return present.link;
  }

  #handle({ program, ifindex }: Attachment): BpfProgram {
    const handle = program === 'steer_uplink_hw' ? this.#bound.get(ifindex) : this.#programs[program];
    if (handle === undefined) throw new Error(`${program} of ifindex ${ifindex} is not open`);
    return handle;
  }

  /** Its own program is not needed any more. */
  #unbind(ifindex: number): void {
    this.#bound.get(ifindex)?.close();
    this.#bound.delete(ifindex);
    this.#pins.remove(boundPin(this.#pins, ifindex));
  }

  /** Of devices that are gone; asked about one device alone, because many are attached one after the other. */
  #dropDead(only?: number): void {
    for (const ifindex of only === undefined ? this.#attached.keys() : [only]) {
      if (this.#attached.get(ifindex)?.link.info().ifindex === 0) this.detach(ifindex);
    }
  }

  #attachNew(program: SharedProgram, ifindex: number, name: string, wish: AttachMode): Attachment {
    const { link, mode, fallbackReason } = this.#create(this.#programs[program], ifindex, name, wish);
    try {
      link.pin(this.#pins.link(ifindex));
    } catch (error) {
      link.close(); // detaches: an attachment that nobody could find again
      throw error;
    }
    return this.#remember(link, { ifindex, program, mode, fallbackReason, insteadOf: null });
  }

  #create(
    program: BpfProgram, ifindex: number, name: string, wish: AttachMode,
  ): { link: XdpLink; mode: XdpAttachMode; fallbackReason: string | null } {
    const attachAs = (mode: XdpAttachMode) => {
      try {
        return XdpLink.attach(program, ifindex, mode);
      } catch (error) {
        if (!(error instanceof ForeignProgramError)) throw error;
        throw new ForeignProgramError(error.operation, error.errno, `${name}, ifindex ${ifindex}`, error.programId);
      }
    };
    if (this.#mode === 'generic') return { link: attachAs('generic'), mode: 'generic', fallbackReason: 'configured' };
    if (wish === 'generic' && this.#mode === 'auto') {
      return { link: attachAs('generic'), mode: 'generic', fallbackReason: 'native XDP would take TSO from the guest' };
    }
    try {
      return { link: attachAs('native'), mode: 'native', fallbackReason: null };
    } catch (error) {
      if (this.#mode === 'native' || error instanceof ForeignProgramError || !(error instanceof NativeError)) throw error;
      return { link: attachAs('generic'), mode: 'generic', fallbackReason: `native XDP refused: ${error.message}` };
    }
  }

  #remember(link: XdpLink, attachment: Attachment): Attachment {
    this.#attached.set(attachment.ifindex, { link, attachment });
    return attachment;
  }
}
