/** XDP programs on devices: attached once, pinned by ifindex, taken over after a restart. */
import { ForeignProgramError, NativeError } from '../native/errors.js';
import { queryXdp, type XdpAttachMode, XdpLink } from '../native/link.js';
import type { Pins } from '../native/pins.js';
import type { BpfProgram } from '../native/program.js';
import type { AttachMode } from '../core/model.js';
import type { Attachment, ProgramName } from './port.js';

/** `auto`: native, and generic where the driver refuses it. */
export type XdpModeChoice = 'auto' | XdpAttachMode;

const PROGRAM_NAMES = ['steer_uplink', 'steer_guest'] as const satisfies readonly ProgramName[];

export type SteeringPrograms = Readonly<Record<ProgramName, BpfProgram>>;

interface Attached {
  readonly link: XdpLink;
  readonly attachment: Attachment;
}

export class Attachments {
  readonly #pins: Pins;
  readonly #programs: SteeringPrograms;
  readonly #mode: XdpModeChoice;
  readonly #attached = new Map<number, Attached>();

  constructor(pins: Pins, programs: SteeringPrograms, mode: XdpModeChoice) {
    this.#pins = pins;
    this.#programs = programs;
    this.#mode = mode;
  }

  /** Takes over the pinned links; drops those whose device is gone. @throws Error for a link whose program is not ours */
  adopt(): void {
    for (const ifindex of this.#pins.listLinks()) {
      const link = XdpLink.fromPin(this.#pins.link(ifindex));
      const { ifindex: present, programId } = link.info();
      if (present === 0) {
        link.close();
        this.#pins.remove(this.#pins.link(ifindex));
        continue;
      }
      const program = PROGRAM_NAMES.find((name) => this.#programs[name].id === programId);
      if (program === undefined) {
        link.close();
        throw new Error(`${this.#pins.link(ifindex)} runs program ${programId}, which is none of unipath's; remove this pin to detach it`);
      }
      const mode = queryXdp(ifindex)?.mode === 'generic' ? 'generic' : 'native';
      const fallbackReason = mode === 'generic' ? 'attached in generic mode by an earlier daemon' : null;
      this.#attached.set(ifindex, { link, attachment: { ifindex, program, mode, fallbackReason } });
    }
  }

  /**
   * A device that runs the other of our programs gets this one in its place, without a moment of neither.
   * @throws ForeignProgramError when the device has a program that is not ours
   * @throws NativeError when the device is gone, or takes XDP in no mode that is allowed
   */
  attach(program: ProgramName, ifindex: number, name: string, mode: AttachMode): Attachment {
    this.#dropDead(ifindex);
    const present = this.#attached.get(ifindex);
    if (present === undefined) return this.#attachNew(program, ifindex, name, mode);
    if (present.attachment.program === program) return present.attachment;
    present.link.replace(this.#programs[program], this.#programs[present.attachment.program]);
    return this.#remember(present.link, { ...present.attachment, program });
  }

  detach(ifindex: number): void {
    const present = this.#attached.get(ifindex);
    if (present === undefined) return;
    this.#attached.delete(ifindex);
    // The pin first: as long as the descriptor is open, the link is whole.
    this.#pins.remove(this.#pins.link(ifindex));
    present.link.close();
  }

  list(): Attachment[] {
    this.#dropDead();
    return [...this.#attached.values()].map(({ attachment }) => attachment);
  }

  /** Closes the descriptors; the pins hold the links. */
  close(): void {
    for (const { link } of this.#attached.values()) link.close();
    this.#attached.clear();
  }

  /** Of devices that are gone; asked about one device alone, because many are attached one after the other. */
  #dropDead(only?: number): void {
    for (const ifindex of only === undefined ? this.#attached.keys() : [only]) {
      if (this.#attached.get(ifindex)?.link.info().ifindex === 0) this.detach(ifindex);
    }
  }

  #attachNew(program: ProgramName, ifindex: number, name: string, wish: AttachMode): Attachment {
    const { link, mode, fallbackReason } = this.#create(this.#programs[program], ifindex, name, wish);
    try {
      link.pin(this.#pins.link(ifindex));
    } catch (error) {
      link.close(); // detaches: an attachment that nobody could find again
      throw error;
    }
    return this.#remember(link, { ifindex, program, mode, fallbackReason });
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
