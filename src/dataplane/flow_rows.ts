/** The slots of one vNIC in the pinned table of flows. */
import { type Flow, hostKnobs, hostMaps } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import { loadedKnobs } from '../native/loaded_knobs.js';
import { RawMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';
import { BpfProgram } from '../native/program.js';

export function readFlows(pins: Pins, vnic: number): Flow[] {
  const slots = slotsPerVnic(pins);
  const flows = RawMap.fromPin(pins.map('flows'));
  try {
    const { value } = hostMaps.flows;
    return Array.from({ length: slots }, (_, i) => value.read(flows.get(encode(u32, vnic * slots + i)) ?? Buffer.alloc(value.size)));
  } finally {
    flows.close();
  }
}

function slotsPerVnic(pins: Pins): number {
  const program = BpfProgram.fromPin(pins.program('steer_guest'));
  try {
    const knob = loadedKnobs(program).get('flows_per_vnic' satisfies keyof typeof hostKnobs);
    return knob === undefined ? 0 : u32.read(knob);
  } finally {
    program.close();
  }
}
