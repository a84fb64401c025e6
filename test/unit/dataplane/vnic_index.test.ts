/** The vNIC index against the look-up of the packet programs, written again here from bpf/lib/vnic.h. */
import test from 'ava';
import fc from 'fast-check';
import type { PortOwner } from '../../../src/core/model.js';
import { ifindexOf, portKey, slotOf, vnicKey } from '../../../src/core/packet/keys.js';
import { VnicIndex, VnicIndexFullError } from '../../../src/dataplane/vnic_index.js';

const SLOTS = 16384;
const PROBES = 4;
const SLOT_BYTES = 16;

interface Fixture {
  readonly index: VnicIndex;
  readonly memory: Buffer;
  waits: number;
}

function makeIndex(): Fixture {
  const memory = Buffer.from(new ArrayBuffer(SLOTS * SLOT_BYTES));
  const fixture: Fixture = { memory, waits: 0, index: new VnicIndex(memory, () => void fixture.waits++) };
  return fixture;
}

/** find_vnic(): 0 when there is none. */
function findVnic(memory: Buffer, key: bigint): number {
  const first = Number(((key * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn) >> 50n);
  for (let i = 0; i < PROBES; i++) {
    const at = ((first + i) & (SLOTS - 1)) * SLOT_BYTES;
    if (memory.readBigUInt64LE(at) === key) return memory.readUInt32LE(at + 8);
  }
  return 0;
}

/** `count` different keys whose first slot is `slot`. */
function keysAt(slot: number, count: number, from = 0): bigint[] {
  const keys: bigint[] = [];
  for (let low = from; keys.length < count; low++) {
    const key = vnicKey(Buffer.from([2, 0, low >>> 24, low >>> 16, low >>> 8, low]), 0);
    if (slotOf(key) === slot) keys.push(key);
  }
  return keys;
}

function tap(vnic: number): PortOwner {
  return { vnic, role: 'tap' };
}

/** The first key gets vNIC 1, the second 2, ... */
function publishAll(index: VnicIndex, keys: readonly bigint[]): void {
  for (const [i, key] of keys.entries()) index.publish(key, tap(i + 1));
}

function areFound(memory: Buffer, keys: readonly bigint[]): boolean {
  return keys.every((key, i) => findVnic(memory, key) === i + 1);
}

test('a key is the MAC address in wire order, the VLAN above it, and the top bit', (t) => {
  t.is(vnicKey(Buffer.from('525400aabbcc', 'hex'), 0), 0x8000_ccbb_aa00_5452n);
  t.is(vnicKey(Buffer.from('525400aabbcc', 'hex'), 0xffe), 0x8ffe_ccbb_aa00_5452n);
  t.is(slotOf(0x8000_ccbb_aa00_5452n), Number((0x8000_ccbb_aa00_5452n * 0x9e3779b97f4a7c15n) % (1n << 64n) >> 50n));
});

test('the key of a port is its ifindex and bit 62, which no address has', (t) => {
  t.is(portKey(0x1234), 0x4000_0000_0000_1234n);
  t.is(ifindexOf(portKey(0xffff_ffff)), 0xffff_ffff);
  for (const vlan of [0, 4094]) t.is(ifindexOf(vnicKey(Buffer.alloc(6, 0xff), vlan)), null);
});

test('a slot says the vNIC in its third word and the role of a port in the byte after it', (t) => {
  const { index, memory } = makeIndex();
  index.publish(portKey(77), { vnic: 0x0102, role: 'vf' });
  const at = slotOf(portKey(77)) * SLOT_BYTES;
  t.is(memory.subarray(at, at + SLOT_BYTES).toString('hex'), '4d00000000000040' + '02010000' + '01' + '000000');
  t.deepEqual([...index.entries()], [[portKey(77), { vnic: 0x0102, role: 'vf' }]]);
});

function sorted(entries: Iterable<readonly [bigint, PortOwner]>): (readonly [bigint, PortOwner])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Keys as of `count` random MAC addresses; fast-check's own lists prefer special numbers, which no allocator of addresses does. */
function randomKeys(seed: number, count: number): bigint[] {
  const random = xorshift(seed);
  return Array.from({ length: count }, () => vnicKey(Buffer.from(Array.from({ length: 6 }, () => random() & 0xff)), random() % 4095));
}

function xorshift(seed: number): () => number {
  let state = (seed >>> 0) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 8;
  };
}

const anyKey = fc.tuple(fc.uint8Array({ minLength: 6, maxLength: 6 }), fc.nat(4094)).map(([mac, vlan]) => vnicKey(mac, vlan));

test('whatever was published and withdrawn, a look-up finds just what is there', (t) => {
  const operation = fc.record({ publish: fc.boolean(), which: fc.nat(1023) });
  const anyKeys = fc.uniqueArray(anyKey, { minLength: 1, maxLength: 30 });
  fc.assert(fc.property(anyKeys, fc.array(operation, { maxLength: 200 }), (keys, operations) => {
    const { index, memory } = makeIndex();
    const model = new Map<bigint, PortOwner>();
    for (const { publish, which } of operations) {
      const key = keys[which % keys.length] ?? 0n;
      if (!publish) {
        index.withdraw(key);
        model.delete(key);
      } else if (!model.has(key)) {
        try {
          const owner: PortOwner = { vnic: 1 + which, role: which & 1 ? 'vf' : 'tap' };
          index.publish(key, owner);
          model.set(key, owner);
        } catch (error) {
          if (!(error instanceof VnicIndexFullError)) throw error;
        }
      }
    }
    for (const key of keys) {
      t.is(findVnic(memory, key), model.get(key)?.vnic ?? 0);
      t.is(index.find(key), model.get(key)?.vnic ?? null);
    }
    t.deepEqual(sorted(index.entries()), sorted(model));
  }), { numRuns: 50 });
});

const MANY: Readonly<Record<string, (i: number) => readonly [mac: readonly number[], vlan: number]>> = {
  'counted in the last bytes': (i) => [[0x52, 0x54, 0, 0, i >> 8, i & 0xff], 0],
  'counted in steps of 16': (i) => [[0x52, 0x54, 0, i >> 12, (i >> 4) & 0xff, (i << 4) & 0xff], 0],
  'one address, counted VLANs': (i) => [[0x52, 0x54, 0, 1, 2, 3], i + 1],
  'counted addresses, each with its VLAN': (i) => [[0x02, 0, 0, 0, i >> 8, i & 0xff], i + 1],
  'counted in the fourth byte and the last': (i) => [[0x52, 0x54, 0, i & 0x1f, 0, i >> 5], 0],
};

/** Two ports per vNIC, numbered as a host does: interfaces that are made one after the other. */
function portKeys(vnics: number): bigint[] {
  return Array.from({ length: 2 * vnics }, (_, i) => portKey(10 + i));
}

for (const [what, make] of Object.entries(MANY)) {
  test(`as many vNICs as there can be, with their ports: ${what}`, (t) => {
    const { index, memory } = makeIndex();
    const keys = Array.from({ length: 1023 }, (_, i) => make(i)).map(([mac, vlan]) => vnicKey(Uint8Array.from(mac), vlan));
    keys.push(...portKeys(1023));
    publishAll(index, keys);
    t.true(areFound(memory, keys));
  });
}

test('as many vNICs as there can be, with their ports and random addresses', (t) => {
  for (let seed = 1; seed <= 30; seed++) {
    const { index, memory } = makeIndex();
    const keys = [...randomKeys(seed, 1023), ...portKeys(1023)];
    publishAll(index, keys);
    t.true(areFound(memory, keys), `seed ${seed}`);
  }
});

test('as many VFs as an adapter can have, each with its ports and the same four VLANs', (t) => {
  for (let seed = 1; seed <= 30; seed++) {
    const { index, memory } = makeIndex();
    const macs = randomKeys(seed, 254).map((key) => key & ~(0xfffn << 48n));
    const keys = [...macs.flatMap((mac) => Array.from({ length: 4 }, (_, i) => mac | (BigInt(100 + i) << 48n))), ...portKeys(254)];
    publishAll(index, keys);
    t.true(areFound(memory, keys), `seed ${seed}`);
  }
});

test('keys with the same first slot take the slots after it, also past the end', (t) => {
  for (const slot of [100, SLOTS - 1]) {
    const { index, memory } = makeIndex();
    const keys = keysAt(slot, PROBES);
    publishAll(index, keys);
    t.true(areFound(memory, keys));
    t.is(memory.readBigUInt64LE(((slot + 3) % SLOTS) * SLOT_BYTES), keys[3] ?? 0n);
  }
});

test('a fifth key of the same first slot has no room, and changes nothing', (t) => {
  const { index, memory } = makeIndex();
  const [fifth = 0n, ...keys] = keysAt(7, PROBES + 1).reverse();
  publishAll(index, keys);
  const before = Buffer.from(memory);
  t.throws(() => index.checkRoom(fifth), { instanceOf: VnicIndexFullError, message: /^no room in the vNIC index for key 0x8000/ });
  t.throws(() => index.publish(fifth, tap(9)), { instanceOf: VnicIndexFullError });
  t.deepEqual(memory, before);
  index.withdraw(keys[1] ?? 0n);
  index.publish(fifth, tap(9));
  t.is(findVnic(memory, fifth), 9);
});

test('a key moves others within their own slots when its own are taken', (t) => {
  const fixture = makeIndex();
  const { index, memory } = fixture;
  // Slots 10..15 get full; then one of the keys of slot 13 must move to 16.
  const [low, high] = [keysAt(10, 3), keysAt(13, 3)];
  publishAll(index, [...low, ...high]);
  t.deepEqual([10, 11, 12, 13, 14, 15].map((slot) => index.find(memory.readBigUInt64LE(slot * SLOT_BYTES))), [1, 2, 3, 4, 5, 6]);
  const [pushing = 0n] = keysAt(12, 1);
  index.publish(pushing, tap(7));
  t.true(areFound(memory, [...low, ...high, pushing]));
  t.true(fixture.waits > 0, 'the slot that was moved out of is filled only after a wait');
});

test('at no moment of a move is a key missing or wrong', (t) => {
  const memory = Buffer.from(new ArrayBuffer(SLOTS * SLOT_BYTES));
  const published = new Map<bigint, number>();
  const check = () => {
    for (const [key, vnic] of published) t.is(findVnic(memory, key), vnic);
  };
  // Looks after every store, as a packet program on another CPU could.
  const { store } = Atomics;
  Atomics.store = ((words: BigUint64Array, index: number, value: bigint) => {
    store(words, index, value);
    check();
    return value;
  }) as typeof Atomics.store;
  t.teardown(() => {
    Atomics.store = store;
  });
  const index = new VnicIndex(memory, check);
  // The last one has two slots' occupants to move: the one at 24 to 25 or 26, and that one to 27.
  for (const key of [...keysAt(20, 4), ...keysAt(23, 1), ...keysAt(25, 1), ...keysAt(26, 1), ...keysAt(21, 1)]) {
    index.publish(key, tap(published.size + 1));
    published.set(key, published.size + 1);
    check();
  }
  t.true([...index.entries()].length === 8 && memory.readBigUInt64LE(27 * SLOT_BYTES) !== 0n);
});

test('an emptied slot is filled again only after the programs that may be reading it have ended', (t) => {
  const fixture = makeIndex();
  const { index } = fixture;
  const keys = keysAt(50, PROBES + 1);
  publishAll(index, keys.slice(0, PROBES));
  t.is(fixture.waits, 0);
  index.withdraw(keys[0] ?? 0n);
  index.publish(keys[4] ?? 0n, tap(5));
  t.is(fixture.waits, 1);
});

test('a slot that was not just emptied is preferred, so that most writes need no wait', (t) => {
  const fixture = makeIndex();
  const [first = 0n, second = 0n] = keysAt(60, 2);
  fixture.index.publish(first, tap(1));
  fixture.index.withdraw(first);
  fixture.index.publish(second, tap(2));
  t.is(fixture.waits, 0);
  t.is(findVnic(fixture.memory, second), 2);
});

test('publishing twice is a mistake, withdrawing twice is not', (t) => {
  const { index } = makeIndex();
  index.publish(1n << 63n, tap(1));
  t.throws(() => index.publish(1n << 63n, tap(1)), { message: /in the vNIC index already/ });
  index.withdraw(1n << 63n);
  index.withdraw(1n << 63n);
  t.is(index.find(1n << 63n), null);
});

test('repair: missing ones are added; wrong, unreachable, doubled and stale ones are removed', (t) => {
  const { index, memory } = makeIndex();
  const [right = 0n, stale = 0n, wrong = 0n, doubled = 0n, missing = 0n] = keysAt(200, 2).concat(keysAt(300, 2), keysAt(400, 1));
  index.publish(right, tap(1));
  index.publish(stale, tap(2));
  index.publish(wrong, tap(3));
  index.publish(doubled, tap(4));
  const slot = (number: number, key: bigint, vnic: number) => {
    memory.writeBigUInt64LE(key, number * SLOT_BYTES);
    memory.writeUInt32LE(vnic, number * SLOT_BYTES + 8);
  };
  slot(303, doubled, 4);
  slot(1000, missing, 5); // where no look-up for it comes by
  // Of a port, the role must be right, too.
  const port = portKey(7);
  index.publish(port, { vnic: 6, role: 'tap' });
  index.repair(new Map([[right, tap(1)], [wrong, tap(33)], [doubled, tap(4)], [missing, tap(5)], [port, { vnic: 6, role: 'vf' }]]));
  const entries = [...index.entries()].sort(([, a], [, b]) => a.vnic - b.vnic);
  t.deepEqual(entries, [[right, tap(1)], [doubled, tap(4)], [missing, tap(5)], [port, { vnic: 6, role: 'vf' }], [wrong, tap(33)]]);
  t.is(memory.readBigUInt64LE(1000 * SLOT_BYTES), 0n);
});
