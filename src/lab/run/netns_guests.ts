/** Guests that are network namespaces: the plug-in's own record tells their path, and a VMM process takes them to another host. */
import { setTimeout as sleep } from 'node:timers/promises';
import { guestOf, tapOf } from '../model.js';
import { guestPins, namespaceOf, vmmSocketPath } from '../place.js';
import { Endpoint } from '../traffic/client.js';
import type { Lab } from '../up.js';
import { VmmClient } from '../vmm_client.js';
import { ChangeFailedError, type Guests, type Rehomed } from './guests.js';
import type { Hosts } from './hosts.js';
import { PluginWatch } from './plugin_watch.js';

/** After a guest's switch to another host, until the old one is taken away: longer than any frame is on its way. */
const LINGER_MS = 250;

export class NetnsGuests implements Guests {
  readonly #lab: Lab;
  readonly #hosts: Hosts;
  readonly #vmms = new Map<string, VmmClient>();
  readonly watches = new Map<string, PluginWatch>();

  private constructor(lab: Lab, hosts: Hosts) {
    this.#lab = lab;
    this.#hosts = hosts;
  }

  /** @throws Error when a guest's plug-in or VMM does not run */
  static async open(lab: Lab, hosts: Hosts, watched: readonly string[]): Promise<NetnsGuests> {
    const guests = new NetnsGuests(lab, hosts);
    try {
      for (const guest of lab.spec.guests.filter((each) => each.attachedBy === 'tap')) {
        guests.#vmms.set(guest.name, await VmmClient.connect(`VMM of ${guest.name}`, vmmSocketPath(lab.place, guest.name)));
      }
      for (const guest of watched) guests.watches.set(guest, new PluginWatch(guestPins(lab.place, guest)));
      return guests;
    } catch (error) {
      await guests.close();
      throw error;
    }
  }

  endpoint(guest: string): Promise<Endpoint> {
    return Endpoint.start(namespaceOf(this.#lab.place, guest));
  }

  /** The order loses nothing: the new host is ready before the guest transmits to it, the old one is taken away after. */
  async rehome(guestName: string, to: string, onArrival: (detail: string) => void): Promise<Rehomed> {
    const { place, spec } = this.#lab;
    const guest = guestOf(spec, guestName);
    const vmm = this.#vmms.get(guestName);
    const from = this.#hosts.homeOf(guestName);
    if (vmm === undefined) throw new ChangeFailedError(`${guestName} has no VMM that could re-home it`);
    await vmm.attach(namespaceOf(place, to), tapOf(guest));
    await this.#hosts.serve(to, guestName, true);
    await vmm.switch(guest.mac);
    this.#hosts.homes.set(guestName, to);
    onArrival(`re-homed live from host ${from}`);
    await sleep(LINGER_MS);
    await this.#hosts.serve(from, guestName, false);
    await vmm.detach(namespaceOf(place, from));
    return { stoodStillMs: 0 };
  }

  death(): null {
    return null;
  }

  async notes(): Promise<string[]> {
    return [];
  }

  async close(): Promise<void> {
    for (const watch of this.watches.values()) watch.close();
    for (const vmm of this.#vmms.values()) await vmm.close();
  }
}
