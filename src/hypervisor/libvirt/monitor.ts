/**
 * The QEMU of one domain, asked through libvirt. Questions only: whatever changes a device has to go through libvirt's own
 * commands, or libvirt would not know of it. libvirt marks a domain that was asked this way as tainted ("custom-monitor") in its log.
 */
import { MonitorLostError, type QemuMonitor, QmpError, type QmpEvent } from '../qemu/monitor.js';
import { LibvirtError } from './refusals.js';
import type { Virsh } from './virsh.js';

const DEFAULT_DEADLINE_MS = 5000;
/** Asks, and changes nothing. `announce-self` lets the guest's NICs announce themselves, which libvirt has no interest in. */
const HARMLESS = /^(?:(?:x-)?query-[a-z0-9-]+|qom-get|qom-list|qom-list-types|qom-list-properties|device-list-properties|announce-self)$/;
/** Of the commands for people: a look at the guest's memory. */
const HARMLESS_LINE = /^xp \/\d{1,2}xw 0x[0-9a-f]+$/;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isHarmless(command: string, args: Readonly<Record<string, unknown>> = {}): boolean {
  return HARMLESS.test(command) || (command === 'human-monitor-command' && HARMLESS_LINE.test(String(args['command-line'])));
}

/** What QEMU returned, from the line that `virsh qemu-monitor-command` prints. @throws QmpError, MonitorLostError */
export function parseReply(command: string, stdout: string): unknown {
  let reply: unknown;
  try {
    reply = JSON.parse(stdout);
  } catch {
    reply = null;
  }
  if (isObject(reply) && 'return' in reply) return reply['return'];
  const error = isObject(reply) ? reply['error'] : null;
  if (!isObject(error)) throw new MonitorLostError(`${command}: libvirt's answer is none of QEMU's: ${JSON.stringify(stdout.slice(0, 200))}`);
  throw new QmpError(command, String(error['class']), String(error['desc']));
}

export class LibvirtMonitor implements QemuMonitor {
  readonly name: string;
  readonly #virsh: Virsh;
  readonly #uuid: string;
  readonly #eventListeners = new Set<(event: QmpEvent) => void>();
  readonly #endListeners = new Set<(why: string) => void>();
  #ended: string | null = null;

  /** @param domain its name, for messages, and its uuid */
  constructor(virsh: Virsh, domain: { readonly name: string; readonly uuid: string }) {
    this.#virsh = virsh;
    this.#uuid = domain.uuid;
    this.name = domain.name;
  }

  async execute(command: string, args?: Readonly<Record<string, unknown>>, options: { readonly deadlineMs?: number } = {}): Promise<unknown> {
    if (this.#ended !== null) throw new MonitorLostError(`${command}: ${this.#ended}`);
    if (!isHarmless(command, args)) {
      throw new QmpError(command, 'OwnedByLibvirt', `domain ${this.name} is libvirt's: what changes its devices must be asked of libvirt`);
    }
    const line = JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }) });
    const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    let stdout: string;
    try {
      stdout = await this.#virsh.run(`${command} of ${this.name}`, ['qemu-monitor-command', this.#uuid, line], { deadlineMs });
    } catch (error) {
      if (error instanceof LibvirtError) throw new MonitorLostError(error.message);
      throw error;
    }
    return parseReply(command, stdout);
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** A connection to libvirt that breaks is not the end: QEMU runs on, and the connection comes back. The end of the domain's run is. */
  onEnd(listener: (why: string) => void): () => void {
    this.#endListeners.add(listener);
    return () => this.#endListeners.delete(listener);
  }

  get closed(): boolean {
    return this.#ended !== null;
  }

  close(): void {
    this.#ended ??= `the monitor of ${this.name} was closed`;
    this.#eventListeners.clear();
    this.#endListeners.clear();
  }

  /** For the owner of the connection: an event of this domain. */
  deliver(event: QmpEvent): void {
    for (const listener of [...this.#eventListeners]) listener(event);
  }

  /** For the owner of the connection: the domain does not run any more. */
  end(why: string): void {
    if (this.#ended !== null) return;
    this.#ended = why;
    for (const listener of [...this.#endListeners]) listener(why);
    this.close();
  }
}
