/**
 * Follows the guest's devices: a VF that appears is prepared, registered with the programs and announced; one that is gone, down
 * or without carrier is taken off at once. Looks at everything anew on each change, so that no order of events can confuse it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DumpedLink } from '../host/link_messages.js';
import type { Links } from '../host/links.js';
import { PacketSocket } from '../native/socket.js';
import { announcementFrame } from './announcement.js';
import type { GuestPlugin } from './plugin.js';
import { chooseVf } from './vf_choice.js';
import { ipv4Of, prepareVf, setDown, setMtu } from './vf_device.js';

/** The host may not be ready for the first. */
const ANNOUNCE_AFTER_MS = [0, 50, 200, 1000];
/**
 * From carrier to use. The other end learns of its carrier by itself and a little later: a bridge drops what comes from a port
 * that it does not yet know to be up. The software path works meanwhile, so waiting costs nothing.
 */
const SETTLE_MS = 100;
/** In case a change was not told, and after a failure. */
const LOOK_INTERVAL_MS = 1000;
/** A device may go away under our hands, and its change is on its way to us: only what fails this often in a row is an error. */
const FAILURES_BEFORE_ERROR = 3;
const RETRY_MS = 50;

export type AgentEvent =
  | { readonly event: 'vf-found'; readonly device: string; readonly ifindex: number }
  | { readonly event: 'vf-registered'; readonly device: string; readonly ifindex: number }
  | {
      readonly event: 'vf-withdrawn';
      readonly device: string;
      readonly ifindex: number;
      readonly reason: 'gone' | 'replugged' | 'down' | 'no-carrier' | 'interface-gone' | 'agent-stops';
    }
  | { readonly event: 'interface-attached'; readonly device: string; readonly ifindex: number; readonly mac: string }
  | { readonly event: 'error'; readonly message: string };

type WithdrawReason = Extract<AgentEvent, { event: 'vf-withdrawn' }>['reason'];

export interface AgentOptions {
  /** The IP interface, on the tap. */
  readonly interface: string;
  /** 802.1Q id of the announcement; 0 = untagged. */
  readonly vlan: number;
}

interface Vf {
  readonly name: string;
  readonly ifindex: number;
}

const octets = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');

export class GuestAgent {
  readonly #options: AgentOptions;
  readonly #plugin: GuestPlugin;
  readonly #links: Links;
  readonly #say: (event: AgentEvent) => void;
  readonly #packets = new PacketSocket();
  #stopWatching: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #lookAgain = false;
  #stopping = false;
  #attached: { readonly ifindex: number; readonly mac: string } | null = null;
  /** Prepared, and our program is on it. */
  #prepared: Vf | null = null;
  #registered: Vf | null = null;
  /** performance.now() of the look that first saw the prepared VF with carrier; null while it has none. */
  #carrierSince: number | null = null;
  /** In a row. */
  #failures = 0;

  constructor(options: AgentOptions, plugin: GuestPlugin, links: Links, say: (event: AgentEvent) => void) {
    this.#options = options;
    this.#plugin = plugin;
    this.#links = links;
    this.#say = say;
  }

  /** Resolves when what is there now has been dealt with. @throws when there is no such interface */
  async start(): Promise<void> {
    const name = this.#options.interface;
    if (!(await this.#links.dumpPlain()).has(name)) throw new Error(`there is no interface ${name} in this guest`);
    this.#stopWatching = this.#links.onChange(() => void this.look());
    this.#timer = setInterval(() => void this.look(), LOOK_INTERVAL_MS);
    await this.look();
  }

  /** Everything as it was before: no programs, no VF in use. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stopWatching();
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#looking;
    this.#withdraw('agent-stops');
    if (this.#prepared !== null) {
      // Without our program what arrives on it would go nowhere: no carrier tells the host.
      await setDown(this.#prepared.name).catch(() => undefined);
      this.#plugin.detach(this.#prepared.ifindex);
    }
    if (this.#attached !== null) this.#plugin.detach(this.#attached.ifindex);
    this.#packets.close();
  }

  /** One look at a time; a change during one means another after it. */
  look(): Promise<void> {
    if (this.#stopping) return Promise.resolve();
    this.#lookAgain = true;
    this.#looking ??= this.#lookWhileAsked().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #lookWhileAsked(): Promise<void> {
    while (this.#lookAgain && !this.#stopping) {
      this.#lookAgain = false;
      try {
        await this.#lookOnce();
        this.#failures = 0;
      } catch (error) {
        this.#failures++;
        const message = error instanceof Error ? error.message : String(error);
        if (this.#failures < FAILURES_BEFORE_ERROR) setTimeout(() => void this.look(), RETRY_MS).unref();
        if (this.#failures === FAILURES_BEFORE_ERROR) this.#say({ event: 'error', message });
      }
    }
  }

  async #lookOnce(): Promise<void> {
    const links = await this.#links.dumpPlain();
    const interfaceLink = links.get(this.#options.interface);
    if (interfaceLink === undefined) {
      this.#withdraw('interface-gone');
      this.#attached = null;
      return;
    }
    this.#followInterface(interfaceLink);
    const vf = chooseVf(links.values(), interfaceLink, this.#registered?.ifindex ?? this.#plugin.state.read().vfIfindex);
    if (vf === null) {
      this.#withdraw('gone');
      this.#prepared = null;
    } else if (this.#prepared?.ifindex !== vf.ifindex || !this.#plugin.isOnVf(vf.ifindex)) {
      await this.#take(vf, interfaceLink.mtu);
    } else {
      if (!vf.up) this.#withdraw('down');
      else if (!vf.carrier) this.#withdraw('no-carrier');
      else if (this.#hasSettled(vf)) this.#register(vf);
      if (vf.mtu !== interfaceLink.mtu) await setMtu(vf.name, interfaceLink.mtu);
    }
  }

  #followInterface({ name, ifindex, mac }: DumpedLink): void {
    if (this.#attached?.ifindex === ifindex && this.#attached.mac === mac) return;
    this.#plugin.state.setInterface(ifindex, octets(mac));
    if (this.#attached?.ifindex !== ifindex) this.#plugin.attachInterface(ifindex);
    this.#attached = { ifindex, mac };
    this.#say({ event: 'interface-attached', device: name, ifindex, mac });
  }

  /** A device that is new to us, or was away and has lost our program. Used only at the next look, if it has carrier then. */
  async #take(vf: DumpedLink, mtu: number): Promise<void> {
    const { name, ifindex } = vf;
    // After a restart the VF that an earlier agent registered is simply kept.
    const kept = this.#registered === null && this.#plugin.state.read().vfIfindex === ifindex && vf.up && vf.carrier;
    if (!kept) {
      this.#withdraw(this.#registered?.ifindex === ifindex ? 'replugged' : 'gone');
      this.#plugin.state.setVf(0);
      // The host's wish to have the VF back ended with the VF that it was about.
      this.#plugin.state.clearDrained();
    }
    this.#say({ event: 'vf-found', device: name, ifindex });
    // The program first: what arrives as soon as the device is up has a way in.
    this.#plugin.attachVf(ifindex);
    await prepareVf(vf, mtu);
    this.#prepared = { name, ifindex };
    this.#lookAgain = true;
  }

  #register({ name, ifindex }: DumpedLink): void {
    if (this.#registered?.ifindex === ifindex) return;
    const vf = { name, ifindex };
    this.#registered = vf;
    this.#plugin.state.setVf(ifindex);
    this.#say({ event: 'vf-registered', device: name, ifindex });
    void this.#announce(vf);
  }

  /** Has it had carrier long enough? If not, there will be a look when it has. */
  #hasSettled({ ifindex }: DumpedLink): boolean {
    if (this.#plugin.state.read().vfIfindex === ifindex) return true;
    const now = performance.now();
    this.#carrierSince ??= now;
    const restMs = this.#carrierSince + SETTLE_MS - now;
    if (restMs > 0) setTimeout(() => void this.look(), Math.ceil(restMs)).unref();
    return restMs <= 0;
  }

  #withdraw(reason: WithdrawReason): void {
    this.#carrierSince = null;
    const vf = this.#registered;
    if (vf === null) {
      // An earlier agent's VF may be gone too.
      if (this.#plugin.state.read().vfIfindex !== 0) this.#plugin.state.setVf(0);
      return;
    }
    this.#plugin.state.setVf(0);
    this.#registered = null;
    this.#say({ event: 'vf-withdrawn', device: vf.name, ifindex: vf.ifindex, reason });
  }

  /** Shows the host that the guest transmits on the VF now. */
  async #announce(vf: Vf): Promise<void> {
    let waited = 0;
    for (const afterMs of ANNOUNCE_AFTER_MS) {
      if (afterMs > waited) await sleep(afterMs - waited);
      waited = afterMs;
      // The host has asked for the VF back: being seen on it would be a lie.
      if (this.#registered !== vf || this.#attached === null || this.#plugin.state.read().drained !== 0) return;
      const frame = announcementFrame({ mac: octets(this.#attached.mac), ipv4: ipv4Of(this.#options.interface), vlan: this.#options.vlan });
      try {
        this.#packets.send(vf.ifindex, frame);
      } catch {
        return; // the device is gone, and the next look will see it
      }
    }
  }
}
