import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parsePciAddress } from '../../../src/sriov/pci.js';
import { readNote, removeNote, writeNote } from '../../../src/sriov/pool_notes.js';
import { readVfNote, removeVfNotes, writeVfNote } from '../../../src/sriov/vf_notes.js';
import type { VfWish } from '../../../src/sriov/vf_plan.js';
import type { PoolNote } from '../../../src/sriov/pool_plan.js';

const PCI = parsePciAddress('0000:01:00.0');
const SETTINGS: VfWish = { mac: null, vlan: { id: 7, qos: 3, protocol: '802.1ad' }, spoofCheck: true, linkState: 'auto', minRate: 0, maxRate: 100 };
const NOTE: PoolNote = {
  pci: PCI,
  before: { vfs: 2, autoprobe: true, bindings: [{ driver: 'igbvf', override: null }, { driver: null, override: 'vfio-pci' }], settings: [SETTINGS, null] },
  made: { vfs: 7, driver: 'vfio-pci' },
};

function stateFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-state-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a note is kept until it is removed, and nothing else is left', (t) => {
  const state = stateFolder(t);
  t.is(readNote(state, PCI), null);
  writeNote(state, NOTE);
  t.deepEqual(readNote(state, PCI), NOTE);
  t.deepEqual(readdirSync(join(state, 'adapters')), ['0000:01:00.0.json']);
  t.is(readNote(state, parsePciAddress('0000:02:00.0')), null);
  removeNote(state, PCI);
  removeNote(state, PCI);
  t.is(readNote(state, PCI), null);
});

test('a file that is no note is not taken for none: what was before would be forgotten', (t) => {
  const state = stateFolder(t);
  writeNote(state, NOTE);
  const file = join(state, 'adapters', '0000:01:00.0.json');
  for (const content of ['', '{"version":1', '{"version":2}', JSON.stringify({ version: 1, ...NOTE, pci: '../../etc' })]) {
    writeFileSync(file, content);
    t.throws(() => readNote(state, PCI), { message: /0000:01:00\.0\.json (cannot be read|is no note of this version)/ }, content);
  }
});

test('a VF has a note of its own; with the VFs all of theirs go', (t) => {
  const state = stateFolder(t);
  writeNote(state, NOTE);
  writeVfNote(state, PCI, 1, SETTINGS);
  writeVfNote(state, PCI, 11, { ...SETTINGS, trust: false });
  t.deepEqual(readVfNote(state, PCI, 1), SETTINGS);
  t.is(readVfNote(state, PCI, 0), null);
  removeVfNotes(state, PCI);
  t.is(readVfNote(state, PCI, 1), null);
  t.deepEqual(readdirSync(join(state, 'adapters')), ['0000:01:00.0.json']);
});
