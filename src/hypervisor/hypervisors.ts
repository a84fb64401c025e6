/** The hypervisors of this host as one: each guest is its own one's business. */
import type { FoundNic, GuestSpec, GuestState, MacAddress, VfSpec } from '../core/model.js';
import type { Hypervisor, HypervisorEvent } from './port.js';

export class Hypervisors implements Hypervisor {
  readonly #netns: Hypervisor;
  readonly #machines: Hypervisor;

  /** @param machines for virtual machines */
  constructor(netns: Hypervisor, machines: Hypervisor) {
    this.#netns = netns;
    this.#machines = machines;
  }

  found(): Promise<readonly FoundNic[]> {
    return this.#machines.found();
  }

  look(guest: GuestSpec): Promise<GuestState | null> {
    return this.#of(guest).look(guest);
  }

  holds(guest: GuestSpec, vf: VfSpec): Promise<boolean> {
    return this.#of(guest).holds(guest, vf);
  }

  prepare(guest: GuestSpec, vf: VfSpec, mac: MacAddress): Promise<void> {
    return this.#of(guest).prepare(guest, vf, mac);
  }

  unprepare(guest: GuestSpec, vf: VfSpec): Promise<void> {
    return this.#of(guest).unprepare(guest, vf);
  }

  plug(guest: GuestSpec, vf: VfSpec, mac: MacAddress): Promise<void> {
    return this.#of(guest).plug(guest, vf, mac);
  }

  eject(guest: GuestSpec, vf: VfSpec): Promise<void> {
    return this.#of(guest).eject(guest, vf);
  }

  unplug(guest: GuestSpec, vf: VfSpec): Promise<void> {
    return this.#of(guest).unplug(guest, vf);
  }

  onEvent(listener: (event: HypervisorEvent) => void): () => void {
    const stops = [this.#netns.onEvent(listener), this.#machines.onEvent(listener)];
    return () => stops.forEach((stop) => stop());
  }

  #of(guest: GuestSpec): Hypervisor {
    return guest.kind === 'netns' ? this.#netns : this.#machines;
  }
}
