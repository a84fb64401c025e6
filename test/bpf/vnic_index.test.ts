/** The vNIC index as the programs read it: four slots from the key's own, around the end of the table. */
import test from 'ava';
import { ContractLimit } from '../../maps/generated/contract.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { hostObjectPath } from '../../src/paths.js';
import { frame } from '../support/packet_builder.js';
import { needs, testWith } from '../support/require.js';
import { Bed, firstSlot, rises, vnicKey } from './bed/bed.js';
import { STATION } from './bed/world.js';

const indexTest = testWith(
  needs.root(), needs.tool('ip'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'), onlineCpus().includes(1) ? null : 'CPU 1',
);

let bed: Bed;
test.before(async () => {
  if (process.getuid?.() === 0) bed = await Bed.create();
});
test.after.always(() => bed?.close());

/** A MAC address whose key begins at that slot. */
function macAt(slot: number): string {
  for (let i = 0; ; i++) {
    const mac = `02:00:00:${[i >> 16, (i >> 8) & 255, i & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
    if (firstSlot(vnicKey(mac, 0)) === slot) return mac;
  }
}

/** Whose counters rise for a frame to that address. */
function ownerOf(mac: string): string | undefined {
  const before = bed.tallies();
  bed.run(frame().ethernet({ from: STATION, to: mac, type: 0x0800 }).build(), { on: 'pf0' });
  return Object.keys(rises(before, bed.tallies())).find((name) => !name.endsWith('bytes'))?.split(' ')[0];
}

const last = ContractLimit.VNIC_SLOTS - 1;

for (const first of [1000, last - 1, last]) {
  indexTest.serial(`a key that begins at slot ${first} is found in ${ContractLimit.VNIC_PROBES} slots and no further`, (t) => {
    const mac = macAt(first);
    for (let probe = 0; probe <= ContractLimit.VNIC_PROBES; probe++) {
      bed.reset();
      bed.setSlot((first + probe) % ContractLimit.VNIC_SLOTS, vnicKey(mac, 0), 2);
      t.is(ownerOf(mac), probe < ContractLimit.VNIC_PROBES ? 'g2' : 'nobody', `slot ${probe} further`);
    }
  });
}

indexTest.serial('a slot before it that is free again, or another\'s, does not hide it', (t) => {
  const mac = macAt(2000);
  bed.reset();
  bed.setSlot(2000, vnicKey(STATION, 0), 3);
  bed.setSlot(2003, vnicKey(mac, 0), 2);
  t.is(ownerOf(mac), 'g2');
});

indexTest.serial('an id beyond the table is nobody: the frame passes, and no memory is touched', (t) => {
  const mac = macAt(2000);
  bed.reset();
  bed.setSlot(2000, vnicKey(mac, 0), ContractLimit.MAX_VNICS);
  t.is(bed.run(frame().ethernet({ from: STATION, to: mac, type: 0x0800 }).build(), { on: 'pf0' }), 'pass');
});

indexTest.serial('the kernel hands no frame shorter than an Ethernet header to a program', (t) => {
  for (let length = 0; length < 14; length++) {
    t.throws(() => bed.run(Buffer.alloc(length), { on: 'pf0' }), { message: /EINVAL/ }, `${length} bytes`);
  }
});
