/**
 * The pinned maps as the state of the reference model (src/core/packet). Every row is read once, when it is first asked for, and
 * then stays as it was; nothing is ever written.
 */
import { hostKnobs, hostMaps, PortRole } from '../../maps/generated/contract.js';
import { type MapSpec, u32, u8 } from '../btf/codec.js';
import type { HoldRing, Knobs, Lookup, Members, Owner, PacketState } from '../core/packet/model.js';
import { getInner } from '../native/inner_map.js';
import { monotonicNs } from '../native/io.js';
import { loadedKnobs } from '../native/loaded_knobs.js';
import { BpfMap, RawMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';
import { BpfProgram } from '../native/program.js';
import { RingBuffer } from '../native/ring_buffer.js';
import { readTickClock, type TickClock } from './tick.js';
import { VnicIndex } from './vnic_index.js';

export interface OpenedState {
  readonly state: PacketState;
  readonly clock: TickClock;
  close(): void;
}

class Once<K, V> implements Lookup<K, V>, Members<K> {
  readonly #map: BpfMap<K, V>;
  readonly #read = new Map<K, V | undefined>();

  constructor(map: BpfMap<K, V>) {
    this.#map = map;
  }

  get(key: K): V | undefined {
    if (!this.#read.has(key)) this.#read.set(key, this.#map.get(key));
    return this.#read.get(key);
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }
}

/** How full the rings are that frames wait in. */
class Rings implements Lookup<number, HoldRing> {
  readonly #outer: RawMap;
  readonly #read = new Map<number, HoldRing | undefined>();

  constructor(outer: RawMap) {
    this.#outer = outer;
  }

  get(id: number): HoldRing | undefined {
    if (!this.#read.has(id)) this.#read.set(id, this.#look(id));
    return this.#read.get(id);
  }

  #look(id: number): HoldRing | undefined {
    const inner = getInner(this.#outer, id);
    if (inner === null) return undefined;
    const ring = new RingBuffer(inner);
    const { size, taken } = ring;
    ring.close();
    inner.close();
    return { size, taken };
  }
}

/** @throws NativeError ENOENT when they are not all there */
export function openPacketState(pins: Pins): OpenedState {
  const opened: RawMap[] = [];
  const open = <K, V>({ name, key, value }: MapSpec<K, V>): Once<K, V> => {
    const raw = RawMap.fromPin(pins.map(name));
    opened.push(raw);
    return new Once(new BpfMap(raw, key, value));
  };
  const close = (): void => opened.forEach((map) => map.close());
  try {
    const cpus = open(hostMaps.cpus);
    const holds = RawMap.fromPin(pins.map('holds'));
    opened.push(holds);
    const { knobs, clock } = readKnobs(pins);
    const state: PacketState = {
      knobs,
      tick: clock.now,
      nowNs: monotonicNs(),
      vnics: open(hostMaps.vnics),
      index: readIndex(pins),
      paths: open(hostMaps.paths),
      steerings: open(hostMaps.steerings),
      rss: open(hostMaps.rss),
      flowSeeds: open(hostMaps.flow_seeds),
      flows: open(hostMaps.flows),
      remotes: open(hostMaps.remotes),
      addresses: open(hostMaps.vnic_addresses),
      rates: open(hostMaps.vnic_rates),
      holds: new Rings(holds),
      seen: open(hostMaps.seen_addresses),
      txPorts: open(hostMaps.tx_ports),
      cpus,
    };
    return { state, clock, close };
  } catch (error) {
    close();
    throw error;
  }
}

function readIndex(pins: Pins): ReadonlyMap<bigint, Owner> {
  const slots = RawMap.fromPin(pins.map('vnic_slots'));
  try {
    const index = new VnicIndex(slots.mmap(), () => undefined);
    return new Map(
      Array.from(index.entries(), ([key, { vnic, role }]) => [key, { vnic, role: role === 'vf' ? PortRole.VF : PortRole.TAP }]),
    );
  } finally {
    slots.close();
  }
}

function readKnobs(pins: Pins): { readonly knobs: Knobs; readonly clock: TickClock } {
  const program = BpfProgram.fromPin(pins.program('steer_uplink'));
  try {
    const values = loadedKnobs(program);
    const bytes = (name: keyof typeof hostKnobs): Buffer => {
      const value = values.get(name);
      if (value === undefined) throw new Error(`the programs at ${pins.folder} do not say what ${name} is`);
      return value;
    };
    const knobs = {
      flowsPerVnic: u32.read(bytes('flows_per_vnic')),
      uplinkPartialChecksum: u8.read(bytes('uplink_partial_checksum')) !== 0,
    };
    return { knobs, clock: readTickClock(values) };
  } finally {
    program.close();
  }
}
