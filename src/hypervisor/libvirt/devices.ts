/**
 * Plugs NICs into running domains and takes them out again, through libvirt, by their alias and by nothing else: libvirt takes a
 * NIC that is named by its MAC address for the first one with this address, which is the one that stands by.
 *
 * libvirt itself sets the MAC address of a VF that it gives away, and puts the old one back when the VF is returned.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkOwnAlias, type NicToAttach, nicXml, wantsRootPort } from './device_xml.js';
import type { LibvirtInterface } from './domain_xml.js';
import type { DomainEvent } from './event_lines.js';
import { LibvirtError } from './refusals.js';
import type { LibvirtDomain } from './snapshot.js';
import type { Virsh } from './virsh.js';

/** libvirt itself waits 30 s for a domain that something else is done to; a command that is killed before may yet be carried out. */
const COMMAND_DEADLINE_MS = 40_000;
const DETACH_DEADLINE_MS = 10_000;
/** Beside the event, which is lost when libvirt is restarted just then. */
const DETACH_POLL_MS = 1000;

/** What is needed of a LibvirtConnection. */
export interface DomainAccess {
  readonly virsh: Pick<Virsh, 'run'>;
  look(uuid: string): Promise<LibvirtDomain>;
  onEvent(listener: (event: DomainEvent) => void): () => void;
}

function nicOf(domain: LibvirtDomain, alias: string): LibvirtInterface | null {
  return domain.interfaces.find((nic) => nic.alias === alias) ?? null;
}

function isWhatWasAsked(nic: LibvirtInterface, asked: NicToAttach): boolean {
  const sameSource = 'tap' in asked.source ? nic.tap === asked.source.tap : nic.hostdev === asked.source.pci;
  return nic.mac === asked.mac && sameSource;
}

/** @throws LibvirtError when the domain is in no state to be changed, or lacks the NIC that is to stand by */
function checkPossible(domain: LibvirtDomain, asked: NicToAttach): void {
  if (domain.id === null) throw new LibvirtError('not_running', `domain ${domain.name} does not run`);
  if (!('persistent' in asked.source)) return;
  const standby = nicOf(domain, asked.source.persistent);
  if (standby?.teaming?.type !== 'persistent') {
    throw new LibvirtError('no_standby', `domain ${domain.name} has no NIC ${asked.source.persistent} with <teaming type='persistent'/>`);
  }
  if (standby.mac !== asked.mac) {
    throw new LibvirtError('no_standby', `NIC ${asked.source.persistent} of ${domain.name} has the MAC address ${standby.mac}, not ${asked.mac}`);
  }
}

/** What libvirt is doing to a domain, in its words; "incoming": receiving it; null: nothing. @throws LibvirtError */
export async function jobOf(libvirt: Pick<DomainAccess, 'virsh'>, domain: Pick<LibvirtDomain, 'uuid' | 'name'>): Promise<string | null> {
  let job: string;
  try {
    job = await libvirt.virsh.run(`ask what is done to ${domain.name}`, ['domjobinfo', domain.uuid]);
  } catch (error) {
    if (error instanceof LibvirtError && /only on the source host/.test(error.message)) return 'incoming';
    throw error;
  }
  const [, type] = /^Job type:\s+(\S+)/m.exec(job) ?? [];
  return type === undefined || type === 'None' ? null : (/^Operation:\s+(.*\S)/m.exec(job)?.[1] ?? type);
}

/** A job such as a migration would let us wait for half a minute, and then be in the middle of something else. */
async function checkNoJob(libvirt: Pick<DomainAccess, 'virsh'>, domain: Pick<LibvirtDomain, 'uuid' | 'name'>): Promise<void> {
  const job = await jobOf(libvirt, domain);
  if (job !== null) throw new LibvirtError('busy', `domain ${domain.name} is being worked on: ${job === 'incoming' ? 'it is just arriving' : job}`);
}

export interface Plug {
  readonly domain: Pick<LibvirtDomain, 'uuid' | 'name'>;
  readonly asked: NicToAttach;
  /** Number of the guest's bus whose slot it gets; null: libvirt chooses. */
  readonly rootPort: number | null;
}

/**
 * Everything that would hinder a plug is looked at, and nothing changed.
 * @param uuid of the domain
 * @returns what `plugNic` needs; or the NIC, when it is there already
 * @throws LibvirtError; RangeError for a value that is none
 */
export async function prepareNic(libvirt: DomainAccess, uuid: string, asked: NicToAttach): Promise<Plug | { readonly already: LibvirtInterface }> {
  const before = await libvirt.look(uuid);
  checkPossible(before, asked);
  const there = nicOf(before, asked.alias);
  if (there !== null) {
    if (isWhatWasAsked(there, asked)) return { already: there };
    throw new LibvirtError('alias_in_use', `domain ${before.name} has another NIC ${asked.alias}: ${there.hostdev ?? there.tap}, ${there.mac}`);
  }
  const needsPort = before.pcie && wantsRootPort(asked.source);
  const port = before.freeRootPorts[0];
  if (needsPort && port === undefined) {
    throw new LibvirtError('no_slot', `domain ${before.name} has no free pcie-root-port for another NIC; give its domain more of these controllers`);
  }
  const plug: Plug = { domain: before, asked, rootPort: needsPort ? (port ?? null) : null };
  nicXml(asked, plug.rootPort);
  await checkNoJob(libvirt, before);
  return plug;
}

/** One command; returns when libvirt has the NIC, which is before the guest has it. @throws LibvirtError as `attachNic` */
export async function plugNic(libvirt: Pick<DomainAccess, 'virsh'>, { domain, asked, rootPort }: Plug, deadlineMs = COMMAND_DEADLINE_MS): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'unipath-'));
  try {
    const file = join(folder, 'nic.xml');
    await writeFile(file, nicXml(asked, rootPort), { mode: 0o600 });
    const what = `plug ${asked.alias} into ${domain.name}`;
    await libvirt.virsh.run(what, ['attach-device', domain.uuid, file, '--live'], { deadlineMs });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Gives a running domain a NIC. Returns when libvirt has it, which is before the guest has it.
 * @param uuid of the domain
 * @returns the NIC as libvirt shows it; also when it was there already
 * @throws LibvirtError: it is not there, or with the reason "late", may yet come. RangeError for a value that is none.
 */
export async function attachNic(libvirt: DomainAccess, uuid: string, asked: NicToAttach): Promise<LibvirtInterface> {
  const prepared = await prepareNic(libvirt, uuid, asked);
  if ('already' in prepared) return prepared.already;
  await plugNic(libvirt, prepared);
  const nic = nicOf(await libvirt.look(uuid), asked.alias);
  if (nic === null) throw new LibvirtError('refused', `libvirt plugged ${asked.alias} into ${prepared.domain.name}, and does not show it there`);
  return nic;
}

/** It is not there, or has been asked for: nothing more to do than wait. */
const DETACHING: ReadonlySet<LibvirtError['reason']> = new Set(['no_device', 'not_running', 'no_domain', 'being_unplugged']);

/** Asks the guest to let go of a NIC, and does not wait. @throws LibvirtError when nothing was asked of the guest, or that is not known */
export async function ejectNic(
  libvirt: Pick<DomainAccess, 'virsh'>,
  domain: Pick<LibvirtDomain, 'uuid' | 'name'>,
  alias: string,
  deadlineMs = COMMAND_DEADLINE_MS,
): Promise<void> {
  try {
    await checkNoJob(libvirt, domain);
    const command = ['detach-device-alias', domain.uuid, checkOwnAlias(alias), '--live'];
    await libvirt.virsh.run(`take ${alias} out of ${domain.name}`, command, { deadlineMs });
  } catch (error) {
    if (!(error instanceof LibvirtError) || !DETACHING.has(error.reason)) throw error;
  }
}

/** Resolves with what an event says about the device, or with null after so many milliseconds. */
function awaitWord(listen: DomainAccess, domain: string, alias: string): { next(ms: number): Promise<DomainEvent | null>; stop(): void } {
  const heard: DomainEvent[] = [];
  let wake = (): void => {};
  const stop = listen.onEvent((event) => {
    if (event.domain !== domain || !('alias' in event) || event.alias !== alias || event.kind === 'device-added') return;
    heard.push(event);
    wake();
  });
  return {
    stop,
    next: async (ms) => {
      if (heard.length === 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return heard.shift() ?? null;
    },
  };
}

/** Is the NIC out, or the domain's run over? Unknown (null) while libvirt is away. */
async function isOut(libvirt: DomainAccess, uuid: string, alias: string): Promise<boolean | null> {
  try {
    const domain = await libvirt.look(uuid);
    return domain.id === null || nicOf(domain, alias) === null;
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    if (error.reason === 'no_domain') return true;
    if (error.reason === 'unreachable' || error.reason === 'late') return null;
    throw error;
  }
}

/**
 * Takes a NIC out of a running domain. Returns when the guest has let go of it and libvirt does not have it any more; at once when
 * it is not there, or the domain does not run.
 * @param uuid of the domain
 * @param alias one that `attachNic` was called with
 * @param options.deadlineMs how long the guest may take; default 10 s
 * @throws LibvirtError "guest_refused": the guest keeps it; "guest_silent": it has not let go yet, and still may (a paused guest does so
 * when it goes on); "no_standby": this is the NIC that stands by; "late", "unreachable": unknown; others: nothing was asked of the guest
 */
export async function detachNic(libvirt: DomainAccess, uuid: string, alias: string, options: { readonly deadlineMs?: number } = {}): Promise<void> {
  checkOwnAlias(alias);
  const deadlineMs = options.deadlineMs ?? DETACH_DEADLINE_MS;
  const domain = await libvirt.look(uuid).catch((error: unknown) => {
    if (error instanceof LibvirtError && error.reason === 'no_domain') return null;
    throw error;
  });
  const nic = domain === null || domain.id === null ? null : nicOf(domain, alias);
  if (domain === null || nic === null) return;
  if (nic.teaming?.type === 'persistent') {
    throw new LibvirtError('no_standby', `${alias} of ${domain.name} is the NIC that stands by; it is never taken out`);
  }
  const word = awaitWord(libvirt, domain.name, alias);
  try {
    const what = `take ${alias} out of ${domain.name}`;
    await ejectNic(libvirt, domain, alias);
    for (const deadline = Date.now() + deadlineMs; ; ) {
      const event = await word.next(Math.max(0, Math.min(DETACH_POLL_MS, deadline - Date.now())));
      if (event?.kind === 'device-removal-failed') throw new LibvirtError('guest_refused', `${what}: the guest does not let go of it`);
      const out = await isOut(libvirt, uuid, alias);
      if (out === true) return;
      if (Date.now() >= deadline) {
        if (out === null) throw new LibvirtError('unreachable', `${what}: asked for, but libvirt does not answer whether it was done`);
        throw new LibvirtError('guest_silent', `${what}: the guest has not let go of it within ${deadlineMs} ms; it may still do so`);
      }
    }
  } finally {
    word.stop();
  }
}
