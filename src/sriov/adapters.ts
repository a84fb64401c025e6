/** Adapters on Linux: VFs lent to vNICs, by what the PF's driver offers (`ip link set PF vf N`), noted in the state folder and read back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { PARKING_VLAN } from '../core/adapter_vf.js';
import type { MacAddress, VfSettings } from '../core/model.js';
import type { VfSettings as DriverSettings } from '../host/vf_messages.js';
import { pfOfNetdev } from './discover.js';
import { AdapterError } from './error.js';
import { valueOf } from './fact.js';
import type { PfFacts, VfFacts } from './facts.js';
import { findHolders } from './holders.js';
import { NicReader } from './nic.js';
import { listVfs, pciOfNetdev } from './pci.js';
import { VFIO_DRIVER } from './pool_plan.js';
import type { Adapters, LendableVf } from './port.js';
import { whileLocked } from './setup_lock.js';
import { numberAt, realSysfs } from './sysfs.js';
import { hasVfNote, readVfNote, removeVfNote, writeVfNote } from './vf_notes.js';
import { configurationOf, planVf, settingText, type VfPlan, type VfSetting, type VfVlan, wishFor } from './vf_plan.js';
import { applyVf, setOne } from './vf_settings.js';

/** A process that has let a device go closes it a moment later. */
const RELEASE_MS = 3_000;
const RELEASE_POLL_MS = 50;
/** Who sets up an adapter may need longer; then it is tried again. */
const LOCK_MS = 3_000;
const NO_MAC = '00:00:00:00:00:00';

const untaggedOr = (id: number): VfVlan => ({ id, qos: 0, protocol: '802.1Q' });

export class LinuxAdapters implements Adapters {
  readonly #state: string;
  /** Of what wants the lock here: one after the other, however long the others take. */
  #turn: Promise<void> = Promise.resolve();

  /** @param state folder of what was before */
  constructor(state: string) {
    this.#state = state;
  }

  async look(name: string): Promise<readonly LendableVf[]> {
    const pf = pciOfNetdev(realSysfs, name);
    const ifindex = numberAt(realSysfs, `/sys/class/net/${name}/ifindex`);
    if (pf === null || ifindex === null) return [];
    const vfs = listVfs(realSysfs, pf).filter(({ driver }) => driver === VFIO_DRIVER);
    if (vfs.length === 0) return [];
    const shown = await readSettings(ifindex);
    return vfs.map(({ pci, index }): LendableVf => {
      const own = shown?.find((each) => each.index === index);
      const lent = hasVfNote(this.#state, pf, index, 'lent');
      return { pci, filter: own === undefined ? null : { mac: own.mac === NO_MAC ? null : own.mac, vlan: own.vlan, lent } };
    });
  }

  lend(name: string, pci: string, mac: MacAddress, settings: VfSettings): Promise<void> {
    return this.#alone(() => this.#lend(name, pci, mac, settings));
  }

  async #lend(name: string, pci: string, mac: MacAddress, settings: VfSettings): Promise<void> {
    const { pf, vf } = await this.#find(name, pci);
    if (valueOf(vf.driver) !== VFIO_DRIVER) {
      throw new AdapterError(`VF ${pci} of ${name} is not bound to ${VFIO_DRIVER}`, `run: unipath adapter setup ${name} --vfs ${pf.sriov.enabled}`);
    }
    const [holder] = await findHolders({ ...pf, vfs: [vf] });
    if (holder !== undefined) throw new AdapterError(`VF ${pci} of ${name} is in use by ${holder.by}`, 'end that use first, or name another VF');
    const plan = planVf(pf, vf.index, { ...settings, vlan: untaggedOr(PARKING_VLAN), mac });
    refuseLacking(name, pci, plan);
    if (!hasVfNote(this.#state, pf.pci, vf.index, 'lent')) {
      writeVfNote(this.#state, pf.pci, vf.index, wishFor(configurationOf(pf, vf.index)), 'lent');
    }
    await applyVf(pf, vf.index, plan);
  }

  admit(name: string, pci: string, vlan: number): Promise<void> {
    return this.#setVlan(name, pci, vlan);
  }

  park(name: string, pci: string): Promise<void> {
    return this.#setVlan(name, pci, PARKING_VLAN);
  }

  async takeAddress(name: string, pci: string): Promise<void> {
    const mac = (await this.#set(name, pci, { kind: 'mac', mac: null })).mac;
    if (mac !== NO_MAC) throw new AdapterError(`VF ${pci} of ${name} was to have no address, but shows ${mac}`);
  }

  async giveBack(name: string, pci: string): Promise<void> {
    const { pf, vf } = await this.#find(name, pci);
    if (!hasVfNote(this.#state, pf.pci, vf.index, 'lent')) return;
    await this.#released(name, pf, vf).catch(async (error: unknown) => {
      if (valueOf(vf.configuration)?.mac !== null) await this.takeAddress(name, pci);
      throw error;
    });
    await this.#alone(() => this.#restore(name, pci));
  }

  async #restore(name: string, pci: string): Promise<void> {
    const { pf, vf } = await this.#find(name, pci);
    const before = readVfNote(this.#state, pf.pci, vf.index, 'lent');
    if (before === null) return;
    // What gives the VF something goes first: its MAC address.
    const { changes, lacking } = planVf(pf, vf.index, before);
    await applyVf(pf, vf.index, { changes: [...changes].reverse(), lacking });
    removeVfNote(this.#state, pf.pci, vf.index, 'lent');
  }

  /** Nobody else changes adapters meanwhile, neither another process nor another vNIC's action. */
  #alone(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(() => whileLocked(this.#state, work, LOCK_MS));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** The event that a device has left a guest comes before its process has closed it. */
  async #released(name: string, pf: PfFacts, vf: VfFacts): Promise<void> {
    const deadline = performance.now() + RELEASE_MS;
    for (;;) {
      const [holder] = await findHolders({ ...pf, vfs: [vf] });
      if (holder === undefined) return;
      if (performance.now() > deadline) throw new AdapterError(`VF ${vf.pci} of ${name} is still in use by ${holder.by}`, 'it is free when that ends');
      await sleep(RELEASE_POLL_MS);
    }
  }

  async #setVlan(name: string, pci: string, id: number): Promise<void> {
    const { vlan } = await this.#set(name, pci, { kind: 'vlan', vlan: untaggedOr(id) });
    if (vlan !== id) throw new AdapterError(`VF ${pci} of ${name} took VLAN ${id}, but shows ${vlan}`);
  }

  /** One command and one question: traffic waits meanwhile. @returns what the driver shows then */
  async #set(name: string, pci: string, setting: VfSetting): Promise<DriverSettings> {
    const pf = pciOfNetdev(realSysfs, name);
    const vf = pf === null ? undefined : listVfs(realSysfs, pf).find((each) => each.pci === pci);
    const ifindex = numberAt(realSysfs, `/sys/class/net/${name}/ifindex`);
    if (vf === undefined || ifindex === null) throw noSuchVf(name, pci);
    await setOne(name, vf.index, setting);
    const shown = (await readSettings(ifindex))?.find(({ index }) => index === vf.index);
    if (shown === undefined) throw new AdapterError(`VF ${pci} of ${name} took ${settingText(setting)}, but its driver shows nothing`);
    return shown;
  }

  async #find(name: string, pci: string): Promise<{ readonly pf: PfFacts; readonly vf: VfFacts }> {
    const pf = await pfOfNetdev(name);
    const vf = pf?.vfs.find((each) => each.pci === pci);
    if (pf === null || vf === undefined) throw noSuchVf(name, pci);
    return { pf, vf };
  }

}

/** How the PF's driver treats each VF; null: it does not tell. */
async function readSettings(ifindex: number): Promise<readonly DriverSettings[] | null> {
  const nics = new NicReader(realSysfs);
  try {
    return valueOf(await nics.vfSettings(ifindex));
  } finally {
    nics.close();
  }
}

function noSuchVf(name: string, pci: string): AdapterError {
  return new AdapterError(`${name} has no VF ${pci}`, 'see: unipath adapter show; VFs are made by: unipath adapter setup');
}

/** A limit that the driver cannot set is none, and a VF that cannot be parked hears before its guest does. */
function refuseLacking(name: string, pci: string, { lacking }: VfPlan): void {
  if (lacking.length === 0) return;
  const list = lacking.map(({ control, why }) => `${control}: ${why}`).join('; ');
  throw new AdapterError(`VF ${pci} of ${name} cannot be given away as wished: ${list}`, 'leave the setting out of vf of the vNIC; without mac and vlan, VFs of this adapter cannot be passed through');
}
