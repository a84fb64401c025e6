/** Many domains looked at by one run of virsh: the script, and its output read. Pure. */
import { type DomainDescription, parseDomainXml } from './domain_xml.js';
import { refusal } from './refusals.js';

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

/**
 * The host's name comes last: who can tell it was connected all the time.
 * @param mark a word that no domain can know: it parts the answers
 */
export function snapshotScript(uuids: readonly string[], mark: string): string {
  const questions = uuids.map(checkUuid).flatMap((uuid) => [`domstate ${uuid} --reason`, `dumpxml ${uuid}`, `echo ${mark}`]);
  return [...questions, 'hostname', `echo ${mark} end`].join('; ');
}

export interface Snapshot {
  /** By uuid. Those that are gone are not in it. */
  readonly domains: ReadonlyMap<string, LibvirtDomain>;
  /** What could not be read, in words. */
  readonly problems: readonly string[];
}

/** What virsh says of a domain that is not there; where the connection broke it says more. */
const NOT_THERE = /^error: failed to get domain '/;

/**
 * @param stdout may have what virsh says on stderr in it
 * @throws Error when the output is not complete, or the connection broke
 */
export function parseSnapshot(stdout: string, uuids: readonly string[], mark: string): Snapshot {
  const answers = stdout.split(mark);
  const host = answers[uuids.length]?.trim() ?? '';
  if (answers.length !== uuids.length + 2 || answers.at(-1)?.trim() !== 'end' || host === '' || host.startsWith('error:')) {
    throw new Error(`virsh broke off its answer${host === '' ? '' : `: ${host}`}`);
  }
  const domains = new Map<string, LibvirtDomain>();
  const problems: string[] = [];
  uuids.forEach((uuid, i) => {
    const answer = answers[i] ?? '';
    const xml = answer.indexOf('<domain ');
    const [, state, stateReason] = /^\s*(\S[^\n]*?)(?: \(([^)\n]*)\))?\n/.exec(answer) ?? [];
    if (xml < 0 || state === undefined || /^(?:<|error:)/.test(state)) {
      // It went away between our asking for the list and for its details; unless something else is said, too.
      const words = answer.split('\n').filter((line) => line.startsWith('error: ') && !NOT_THERE.test(line));
      if (words.length === 0) return;
      const error = refusal(`look at domain ${uuid}`, words.join('\n'));
      if (error.reason === 'unreachable') throw error;
      problems.push(error.message);
      return;
    }
    try {
      domains.set(uuid, { ...parseDomainXml(answer.slice(xml)), state, stateReason: stateReason ?? '' });
    } catch (error) {
      problems.push(`domain ${uuid}: ${(error as Error).message}`);
    }
  });
  return { domains, problems };
}
