/** The slots of one vNIC in the pinned table of flows, and the clock that their ages are by. */
import { type Flow, hostKnobs, hostMaps } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import { loadedKnobs } from '../native/loaded_knobs.js';
import { RawMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';
import { BpfProgram } from '../native/program.js';
import { readTickClock, type TickClock } from './tick.js';

export function readFlows(pins: Pins, vnic: number): { readonly flows: Flow[]; readonly clock: TickClock } {
  const knobs = knobsOf(pins);
  const perVnic = knobs.get('flows_per_vnic' satisfies keyof typeof hostKnobs);
  const slots = perVnic === undefined ? 0 : u32.read(perVnic);
  const flows = RawMap.fromPin(pins.map('flows'));
  try {
    const { value } = hostMaps.flows;
    const rows = Array.from({ length: slots }, (_, i) => value.read(flows.get(encode(u32, vnic * slots + i)) ?? Buffer.alloc(value.size)));
    return { flows: rows, clock: readTickClock(knobs) };
  } finally {
    flows.close();
  }
}

function knobsOf(pins: Pins): ReadonlyMap<string, Buffer> {
  const program = BpfProgram.fromPin(pins.program('steer_guest'));
  try {
    return loadedKnobs(program);
  } finally {
    program.close();
  }
}
