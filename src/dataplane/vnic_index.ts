/**
 * The index from MAC address and VLAN, and from port, to vNIC id: map `vnic_slots`, changed in place while the packet programs
 * read it.
 *
 * A key lives in one of the VNIC_PROBES slots from its own first slot on. When all of them are taken, their occupants
 * are moved within their own slots. So a key is refused only when too many compete for the same few slots.
 *
 * A program reads a slot's key and then its vNIC. So a slot that was emptied gets a new owner only after every program
 * that ran at that time has ended; otherwise a frame for the old one could reach the new one.
 */
import { ContractLimit, PortRole, portRoleNames, vnicSlotCodec } from '../../maps/generated/contract.js';
import type { PortOwner, PortRole as Role } from '../core/model.js';
import { slotOf } from '../core/packet/keys.js';

const { VNIC_SLOTS, VNIC_PROBES } = ContractLimit;
const FREE = 0n;
const WORDS_PER_SLOT = vnicSlotCodec.size / 8;

/** No slot can be made free for this key. */
export class VnicIndexFullError extends Error {
  override readonly name = 'VnicIndexFullError';

  constructor(readonly key: bigint) {
    super(`no room in the vNIC index for key 0x${key.toString(16)}: too many MAC addresses share its ${VNIC_PROBES} slots; choose another`);
  }
}

function ownerWord({ vnic, role }: PortOwner): bigint {
  return BigInt(vnic) | (BigInt(role === 'vf' ? PortRole.VF : PortRole.TAP) << 32n);
}

function ownerOf(word: bigint): PortOwner {
  return { vnic: Number(word & 0xffff_ffffn), role: portRoleNames[Number((word >> 32n) & 0xffn) as PortRole] as Role };
}

function probesOf(key: bigint): number[] {
  const first = slotOf(key);
  return Array.from({ length: VNIC_PROBES }, (_, i) => (first + i) % VNIC_SLOTS);
}

export class VnicIndex {
  readonly #words: BigUint64Array;
  readonly #waitForReaders: () => void;
  /** Emptied since the last wait. */
  readonly #emptied = new Set<number>();

  /**
   * @param memory VNIC_SLOTS slots, 8-byte aligned
   * @param waitForReaders returns when no program runs any more that ran when it was called
   */
  constructor(memory: Buffer, waitForReaders: () => void) {
    this.#words = new BigUint64Array(memory.buffer, memory.byteOffset, VNIC_SLOTS * WORDS_PER_SLOT);
    this.#waitForReaders = waitForReaders;
  }

  /** vNIC id of the key, or null. */
  find(key: bigint): number | null {
    return this.owner(key)?.vnic ?? null;
  }

  /** The same, with the role of a port. */
  owner(key: bigint): PortOwner | null {
    const slot = this.#slotOf(key);
    return slot === null ? null : ownerOf(this.#ownerIn(slot));
  }

  /** Every key with its vNIC; the role is that of a port. */
  *entries(): Generator<[key: bigint, owner: PortOwner], void, undefined> {
    for (let slot = 0; slot < VNIC_SLOTS; slot++) {
      const key = this.#keyIn(slot);
      if (key !== FREE) yield [key, ownerOf(this.#ownerIn(slot))];
    }
  }

  /** @throws VnicIndexFullError when `publish` would */
  checkRoom(key: bigint): void {
    this.#chainToFreeSlot(key);
  }

  /** Makes the key known. It must not be. @throws VnicIndexFullError with nothing changed */
  publish(key: bigint, owner: PortOwner): void {
    if (this.#slotOf(key) !== null) throw new Error(`key 0x${key.toString(16)} is in the vNIC index already`);
    const chain = this.#chainToFreeSlot(key);
    // Backward: each occupant is in its new slot before it leaves the old one, so it is found at any time.
    for (let i = chain.length - 1; i > 0; i--) {
      const [from, to] = [chain[i - 1] ?? 0, chain[i] ?? 0];
      this.#fill(to, this.#keyIn(from), this.#ownerIn(from));
      this.#empty(from);
    }
    this.#fill(chain[0] ?? 0, key, ownerWord(owner));
  }

  /** Forgets the key; no frame is steered by it any more. Idempotent. */
  withdraw(key: bigint): void {
    for (let slot = this.#slotOf(key); slot !== null; slot = this.#slotOf(key)) this.#empty(slot);
  }

  /** Makes the index say exactly this, as after a crash between two writes. @throws VnicIndexFullError */
  repair(wanted: ReadonlyMap<bigint, PortOwner>): void {
    const seen = new Set<bigint>();
    for (let slot = 0; slot < VNIC_SLOTS; slot++) {
      const key = this.#keyIn(slot);
      if (key === FREE) continue;
      const owner = wanted.get(key);
      const right = owner !== undefined && ownerWord(owner) === this.#ownerIn(slot) && !seen.has(key) && probesOf(key).includes(slot);
      if (right) seen.add(key);
      else this.#empty(slot);
    }
    for (const [key, owner] of wanted) if (!seen.has(key)) this.publish(key, owner);
  }

  #slotOf(key: bigint): number | null {
    return probesOf(key).find((slot) => this.#keyIn(slot) === key) ?? null;
  }

  /** One of the key's slots, then where its occupant goes, then where that slot's occupant goes, ..., a free slot. */
  #chainToFreeSlot(key: bigint): number[] {
    // Free and not just emptied: needs no waiting.
    const atOnce = probesOf(key).find((slot) => this.#keyIn(slot) === FREE && !this.#emptied.has(slot));
    if (atOnce !== undefined) return [atOnce];
    const cameFrom = new Map<number, number | null>(probesOf(key).map((slot) => [slot, null]));
    // A Map is walked in order of insertion, also over what is added meanwhile: breadth first, so the chain is shortest.
    for (const slot of cameFrom.keys()) {
      const occupant = this.#keyIn(slot);
      if (occupant === FREE) return chainTo(slot, cameFrom);
      for (const other of probesOf(occupant)) if (!cameFrom.has(other)) cameFrom.set(other, slot);
    }
    throw new VnicIndexFullError(key);
  }

  #keyIn(slot: number): bigint {
    return Atomics.load(this.#words, slot * WORDS_PER_SLOT);
  }

  #ownerIn(slot: number): bigint {
    return Atomics.load(this.#words, slot * WORDS_PER_SLOT + 1);
  }

  #fill(slot: number, key: bigint, owner: bigint): void {
    if (this.#emptied.has(slot)) {
      this.#waitForReaders();
      this.#emptied.clear();
    }
    // The key last: whoever sees it sees the owner, too.
    Atomics.store(this.#words, slot * WORDS_PER_SLOT + 1, owner);
    Atomics.store(this.#words, slot * WORDS_PER_SLOT, key);
  }

  #empty(slot: number): void {
    Atomics.store(this.#words, slot * WORDS_PER_SLOT, FREE);
    this.#emptied.add(slot);
  }
}

function chainTo(end: number, cameFrom: ReadonlyMap<number, number | null>): number[] {
  const chain: number[] = [];
  for (let slot: number | null = end; slot !== null; slot = cameFrom.get(slot) ?? null) chain.unshift(slot);
  return chain;
}
