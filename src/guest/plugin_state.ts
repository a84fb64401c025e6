/**
 * The one row of `plugin_states`, in memory shared with the programs. Fields are written one by one: the programs count in the
 * same row at the same time.
 */
import { pluginFingerprint, type PluginState, pluginStateCodec } from '../../maps/generated/contract.js';

function offsetOf(field: string): number {
  return Number(pluginFingerprint.structs[`plugin_state.${field}`]?.['offset']);
}

const AT = {
  vfIfindex: offsetOf('vf_ifindex'),
  interfaceIfindex: offsetOf('interface_ifindex'),
  drained: offsetOf('drained'),
  mac: offsetOf('mac'),
};

export class PluginStateRow {
  readonly #row: Buffer;
  readonly #words: Uint32Array;

  /** @param row the map's memory, 4-byte aligned */
  constructor(row: Buffer) {
    this.#row = row;
    this.#words = new Uint32Array(row.buffer, row.byteOffset, row.length >> 2);
  }

  read(): PluginState {
    return pluginStateCodec.read(this.#row);
  }

  /** The programs take the VF from the next frame on; 0 = no VF. */
  setVf(ifindex: number): void {
    Atomics.store(this.#words, AT.vfIfindex >> 2, ifindex);
  }

  clearDrained(): void {
    this.#row[AT.drained] = 0;
  }

  setInterface(ifindex: number, mac: Buffer): void {
    mac.copy(this.#row, AT.mac);
    Atomics.store(this.#words, AT.interfaceIfindex >> 2, ifindex);
  }
}
