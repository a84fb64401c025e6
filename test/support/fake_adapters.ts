/**
 * VFs of an adapter that switches by itself, in memory.
 *
 * What it does not prove: that a driver takes these settings, or gives frames by them; that a VF is really released.
 */
import { PARKING_VLAN } from '../../src/core/adapter_vf.js';
import type { MacAddress, VfSettings } from '../../src/core/model.js';
import type { Adapters, LendableVf } from '../../src/sriov/port.js';
import type { FakeClock } from './fake_clock.js';
import type { FakeHost } from './fake_host.js';
import type { Faults } from './faults.js';

const LATENCY_MS = 1;

interface Vf {
  mac: string | null;
  vlan: number;
  settings: VfSettings;
  before: Omit<Vf, 'before'> | null;
}

export class FakeAdapters implements Adapters {
  readonly #clock: FakeClock;
  readonly #host: FakeHost;
  readonly #faults: Faults;
  readonly #vfs = new Map<string, Vf>();

  /** On the host a VF is a link of its PCI address's name: one that a guest has is not there. */
  constructor(clock: FakeClock, host: FakeHost, faults: Faults) {
    this.#clock = clock;
    this.#host = host;
    this.#faults = faults;
  }

  add(pci: string): void {
    this.#vfs.set(pci, { mac: null, vlan: 0, settings: {}, before: null });
  }

  /** What a VF is like; `before` null: it is lent to nobody. */
  at(pci: string): Readonly<Vf> {
    const vf = this.#vfs.get(pci);
    if (vf === undefined) throw new Error(`no VF ${pci}`);
    return vf;
  }

  /** Somebody else sets it. */
  meddle(pci: string, vlan: number): void {
    this.#vf(pci).vlan = vlan;
  }

  async look(): Promise<readonly LendableVf[]> {
    await this.#clock.sleep(LATENCY_MS);
    return [...this.#vfs].map(([pci, { mac, vlan, before }]) => ({ pci, filter: { mac, vlan, lent: before !== null } }));
  }

  lend(pf: string, pci: string, mac: MacAddress, settings: VfSettings): Promise<void> {
    return this.#faults.around(`lend ${pf} ${pci} ${mac}`, () => {
      if (!this.#host.has(pci)) throw new Error(`VF ${pci} is in use`);
      const vf = this.#vf(pci);
      const { before, ...now } = vf;
      Object.assign(vf, { mac, vlan: PARKING_VLAN, settings, before: before ?? now });
    });
  }

  admit(pf: string, pci: string, vlan: number): Promise<void> {
    return this.#faults.around(`admit ${pf} ${pci} ${vlan}`, () => void (this.#vf(pci).vlan = vlan));
  }

  park(pf: string, pci: string): Promise<void> {
    return this.#faults.around(`park ${pf} ${pci}`, () => void (this.#vf(pci).vlan = PARKING_VLAN));
  }

  takeAddress(pf: string, pci: string): Promise<void> {
    return this.#faults.around(`takeAddress ${pf} ${pci}`, () => void (this.#vf(pci).mac = null));
  }

  giveBack(pf: string, pci: string): Promise<void> {
    return this.#faults.around(`giveBack ${pf} ${pci}`, () => {
      if (!this.#host.has(pci)) throw new Error(`VF ${pci} is still in use`);
      const vf = this.#vf(pci);
      if (vf.before !== null) this.#vfs.set(pci, { ...vf.before, before: null });
    });
  }

  #vf(pci: string): Vf {
    const vf = this.#vfs.get(pci);
    if (vf === undefined) throw new Error(`no VF ${pci}`);
    return vf;
  }
}
