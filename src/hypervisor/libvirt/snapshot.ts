/** Many domains looked at by one run of virsh: the script, and its output read. Pure. */
import { type DomainDescription, parseDomainXml } from './domain_xml.js';

export interface LibvirtDomain extends DomainDescription {
  /** libvirt's words: "running", "paused", "shut off", "in shutdown", "crashed", "pmsuspended". */
  readonly state: string;
  /** Why: "booted", "migrated", "crashed", ... */
  readonly stateReason: string;
}

const UUID_PATTERN = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The uuids of `virsh list --all --uuid`. */
export function parseUuids(stdout: string): string[] {
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => UUID_PATTERN.test(line));
}

/** @throws RangeError */
export function checkUuid(uuid: string): string {
  if (!UUID_PATTERN.test(uuid)) throw new RangeError(`"${uuid}" is not the uuid of a domain`);
  return uuid;
}

/** @param mark a word that no domain can know: it parts the answers */
export function snapshotScript(uuids: readonly string[], mark: string): string {
  return [...uuids.map(checkUuid).flatMap((uuid) => [`domstate ${uuid} --reason`, `dumpxml ${uuid}`, `echo ${mark}`]), `echo ${mark} end`].join('; ');
}

export interface Snapshot {
  /** By uuid. Those that are gone are not in it. */
  readonly domains: ReadonlyMap<string, LibvirtDomain>;
  /** What could not be read, in words. */
  readonly problems: readonly string[];
}

/** @throws Error when the output is not complete */
export function parseSnapshot(stdout: string, uuids: readonly string[], mark: string): Snapshot {
  const answers = stdout.split(mark);
  if (answers.length !== uuids.length + 2 || answers.at(-1)?.trim() !== 'end') throw new Error('virsh broke off its answer');
  const domains = new Map<string, LibvirtDomain>();
  const problems: string[] = [];
  uuids.forEach((uuid, i) => {
    const answer = answers[i] ?? '';
    const xml = answer.indexOf('<domain ');
    const [, state, stateReason] = /^\s*(\S[^\n]*?)(?: \(([^)\n]*)\))?\n/.exec(answer) ?? [];
    // It went away between our asking for the list and for its details.
    if (xml < 0 || state === undefined || state.startsWith('<')) return;
    try {
      domains.set(uuid, { ...parseDomainXml(answer.slice(xml)), state, stateReason: stateReason ?? '' });
    } catch (error) {
      problems.push(`domain ${uuid}: ${(error as Error).message}`);
    }
  });
  return { domains, problems };
}
