import test from 'ava';
import { pluginStateCodec } from '../../../maps/generated/contract.js';
import { PluginStateRow } from '../../../src/guest/plugin_state.js';

const path = { rxPackets: 1n, txPackets: 2n, rxFirstNs: 3n, rxLastNs: 4n, txFirstNs: 5n, txLastNs: 6n };

test('each setter changes its field and no other', (t) => {
  const row = Buffer.alloc(pluginStateCodec.size);
  const before = { vfIfindex: 3, interfaceIfindex: 2, drained: 1, mac: new Uint8Array([1, 2, 3, 4, 5, 6]), tap: path, vf: path };
  const written = (act: (state: PluginStateRow) => void) => {
    pluginStateCodec.write(before, row);
    const state = new PluginStateRow(row);
    act(state);
    const read = state.read();
    return { ...read, mac: new Uint8Array(read.mac) };
  };
  t.deepEqual(written((state) => state.setVf(70_000)), { ...before, vfIfindex: 70_000 });
  t.deepEqual(written((state) => state.clearDrained()), { ...before, drained: 0 });
  t.deepEqual(written((state) => state.setInterface(9, Buffer.from('0a0b0c0d0e0f', 'hex'))), {
    ...before,
    interfaceIfindex: 9,
    mac: new Uint8Array([10, 11, 12, 13, 14, 15]),
  });
});
