/**
 * Guests that are network namespaces: plugging moves the VF's device into the namespace, unplugging moves it back. The
 * device keeps its name. The guest's own agent brings it up; we never act on anything else inside the guest.
 */
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { PLUGIN_GUEST, type FoundNic, type GuestSpec, type GuestState, type MacAddress, type ObservedLink, type VfSpec } from '../core/model.js';
import { readOffloads, writeOffloads } from '../host/ethtool.js';
import { CommandError, run, runJson } from '../host/exec.js';
import { checkInterfaceName, checkNetnsName } from '../host/names.js';
import { type DeviceBefore, formatAlias, parseAlias } from './alias.js';
import { PlugError, type Hypervisor } from './port.js';

export { PlugError } from './port.js';

const NSFS_MAGIC = 0x6e736673;
const ARRIVAL_DEADLINE_MS = 3_000;
const ARRIVAL_POLL_MS = 10;

/** One device as `ip -j link show` tells it. */
interface LinkJson {
  readonly ifname?: string;
  readonly address?: string;
  readonly ifalias?: string;
  readonly flags?: readonly string[];
  /** Name of the device it hangs on, or of the other end of a veth pair, when that is in the same namespace. */
  readonly link?: string | null;
  /** The same when it is in another namespace: its ifindex there. */
  readonly link_index?: number;
}

/** Undoes and returns the error to throw: the first one, with what went wrong while undoing. */
async function undone(error: Error, undo: () => Promise<void>): Promise<Error> {
  try {
    await undo();
    return error;
  } catch (second) {
    return new AggregateError([error, second], `${error.message}; and undoing it failed: ${(second as Error).message}`);
  }
}

/** @throws PlugError for a guest that is none */
function netnsOf(guest: GuestSpec): string {
  if (guest.kind !== 'netns') throw new PlugError(`guest ${guest.vm} is no network namespace`);
  return checkNetnsName(guest.netns);
}

type LinkLister = () => Promise<ReadonlyMap<string, ObservedLink>>;

export class NetnsHypervisor implements Hypervisor {
  readonly #hostLinks: LinkLister;
  /** The host's namespace has no name; it is the one that this process is in. */
  readonly #hostPid: number;

  constructor(hostLinks: LinkLister, hostPid: number = process.pid) {
    this.#hostLinks = hostLinks;
    this.#hostPid = hostPid;
  }

  /** There is nothing to be found: namespaces are named in the configuration. */
  async found(): Promise<readonly FoundNic[]> {
    return [];
  }

  /** Namespaces tell of nothing by themselves. */
  onEvent(): () => void {
    return () => undefined;
  }

  async look(guest: GuestSpec): Promise<GuestState | null> {
    return (await this.#exists(guest)) ? PLUGIN_GUEST : null;
  }

  async #exists(guest: GuestSpec): Promise<boolean> {
    const info = await statfs(`/run/netns/${netnsOf(guest)}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    // A name whose namespace is gone is left as a plain file.
    return info?.type === NSFS_MAGIC;
  }

  async holds(guest: GuestSpec, vf: VfSpec): Promise<boolean> {
    if (!(await this.#exists(guest))) return false;
    const inside = await this.#show(vf.device, guest);
    return inside !== null && (await this.#isDeviceOf(inside, vf));
  }

  async prepare(): Promise<void> {
    return Promise.resolve();
  }

  async unprepare(): Promise<void> {
    return Promise.resolve();
  }

  async plug(guest: GuestSpec, vf: VfSpec, mac: MacAddress): Promise<void> {
    const netns = netnsOf(guest);
    const device = checkInterfaceName(vf.device);
    if (!(await this.#exists(guest))) throw new PlugError(`guest ${netns} is not there: no network namespace of this name`);
    const inside = await this.#show(device, guest);
    if (inside !== null && !(await this.#isDeviceOf(inside, vf))) {
      throw new PlugError(`guest ${netns} has an interface ${device} of its own; rename it there, or give the VF's device another name`);
    }
    if (inside !== null) {
      if (inside.address === mac) return;
      throw new PlugError(
        `guest ${netns} already holds device ${device}, under MAC address ${inside.address} and not ${mac}; unplug it first`,
      );
    }
    const outside = await this.#show(device, null);
    if (outside === null) throw new PlugError(`device ${device} of VF ${vf.port} is not on the host`);

    // A device that was taken back half-way may still carry our note: what it says is older, and right.
    const before: DeviceBefore = parseAlias(outside.ifalias ?? '') ?? {
      mac: (outside.address ?? '') as MacAddress,
      up: outside.flags?.includes('UP') === true,
      offloads: await readOffloads(device),
      alias: outside.ifalias ?? '',
    };
    try {
      await run('ip', ['link', 'set', 'dev', device, 'down', 'alias', formatAlias(before)]);
      await run('ip', ['link', 'set', 'dev', device, 'address', mac]);
      // tx off: frames that are redirected must carry whole checksums. gro on: a veth takes redirected frames only with NAPI.
      await writeOffloads(device, { tx: false, gro: true });
      await run('ip', ['link', 'set', 'dev', device, 'netns', netns]);
      if (!(await this.holds(guest, vf))) throw new PlugError(`guest ${netns} does not show device ${device} that was moved into it`);
    } catch (error) {
      throw await undone(error as Error, async () => {
        if (await this.holds(guest, vf)) await this.#moveToHost(guest, device);
        await this.#restore(device);
      });
    }
  }

  async unplug(guest: GuestSpec, vf: VfSpec): Promise<void> {
    const netns = netnsOf(guest);
    const device = checkInterfaceName(vf.device);
    if (await this.holds(guest, vf)) {
      if ((await this.#show(device, null)) !== null) {
        throw new PlugError(`the host has another interface ${device}; rename it, then the VF's device can come back from guest ${netns}`);
      }
      await this.#moveToHost(guest, device);
    }
    await this.#awaitOnHost(vf, netns);
    await this.#restore(device);
  }

  /** A namespace gives back whatever is taken from it: there is nobody to ask. */
  async eject(): Promise<void> {
    return Promise.resolve();
  }

  async #moveToHost(guest: GuestSpec, device: string): Promise<void> {
    await run('ip', ['-n', netnsOf(guest), 'link', 'set', 'dev', device, 'netns', String(this.#hostPid)]);
  }

  /** The kernel gives back devices of a namespace that ends (physical ones) or destroys them (virtual ones); both take a while. */
  async #awaitOnHost(vf: VfSpec, netns: string): Promise<void> {
    const deadline = Date.now() + ARRIVAL_DEADLINE_MS;
    while (Date.now() < deadline) {
      const links = await this.#hostLinks();
      if (links.has(vf.device)) return;
      await sleep(ARRIVAL_POLL_MS);
    }
    throw new PlugError(`device ${vf.device} of VF ${vf.port} did not come back from guest ${netns} within ${ARRIVAL_DEADLINE_MS} ms`);
  }

  /** Puts back what the note in the alias says; a device without our note is left as it is. */
  async #restore(device: string): Promise<void> {
    const seen = await this.#show(device, null);
    const before = parseAlias(seen?.ifalias ?? '');
    if (before === null) return;
    await run('ip', ['link', 'set', 'dev', device, 'address', before.mac]);
    await writeOffloads(device, before.offloads);
    await run('ip', ['link', 'set', 'dev', device, 'alias', before.alias, before.up ? 'up' : 'down']);
  }

  /** A device of the guest, or of the host; null when there is none of this name. */
  async #show(device: string, guest: GuestSpec | null): Promise<LinkJson | null> {
    const where = guest === null ? [] : ['-n', netnsOf(guest)];
    try {
      const rows = await runJson('ip', [...where, '-j', 'link', 'show', 'dev', checkInterfaceName(device)]);
      return (rows as readonly LinkJson[]).find((row) => row.ifname === device) ?? null;
    } catch (error) {
      if (error instanceof CommandError && /does not exist|Cannot find device/.test(error.stderr)) return null;
      throw error;
    }
  }

  /** Is what the guest shows under the device's name the VF's device? A veth says who its other end is; others have only their name. */
  async #isDeviceOf(inside: LinkJson, vf: VfSpec): Promise<boolean> {
    if (inside.link !== undefined) return false;
    if (inside.link_index === undefined) return true;
    return (await this.#hostLinks()).get(vf.port)?.ifindex === inside.link_index;
  }
}
