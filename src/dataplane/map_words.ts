/** Rows of the maps for people: by the layouts of the contract, with names where a number stands for something. Pure. */
import { ContractLimit, hostFingerprint, portRoleNames, type PortRole, reasonNames } from '../../maps/generated/contract.js';
import { Decoder, type Field, fieldsOf, type Plain, sizeOf, type Special } from '../btf/decode.js';
import { macText } from '../core/model.js';
import { ifindexOf } from '../core/packet/keys.js';
import type { MapName } from './loader.js';
import { readPathWord } from './path_word.js';
import type { Site } from './site.js';

export interface TypeLayout {
  /** The C spelling, such as "struct vnic". */
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** Of a struct. */
  readonly fields: readonly Field[];
}

/** Both null for a ring buffer. */
export interface MapLayout {
  readonly key: TypeLayout | null;
  readonly value: TypeLayout | null;
}

function typeLayout(type: string): TypeLayout {
  return { type, size: sizeOf(hostFingerprint, type), fields: fieldsOf(hostFingerprint, type) };
}

export function layoutOfMap(name: MapName): MapLayout {
  const { key, value } = hostFingerprint.maps[`map ${name}`] ?? {};
  if (key === undefined || value === undefined) return { key: null, value: null };
  return { key: typeLayout(String(key)), value: typeLayout(String(value)) };
}

/** "52:54:00:00:00:01 vlan 7", "port 12"; null: the slot is free. */
function indexKeyText(bytes: Buffer): Plain {
  const key = bytes.readBigUInt64LE();
  if (key === 0n) return null;
  const ifindex = ifindexOf(key);
  return ifindex === null ? `${macText(bytes.subarray(0, 6))} vlan ${bytes.readUInt16LE(6) & 0xfff}` : `port ${ifindex}`;
}

function pathWordText(bytes: Buffer): Plain {
  try {
    const { path, vfAllowed, hold, generation } = readPathWord(bytes.readBigUInt64LE());
    return { path, vf_allowed: vfAllowed ? 1 : 0, hold, generation };
  } catch {
    // What nobody writes is shown as it is.
    return plain.decode('__u64', bytes);
  }
}

function reasonCounts(bytes: Buffer): Plain {
  const size = sizeOf(hostFingerprint, 'struct counter');
  return Object.fromEntries(Object.entries(reasonNames).map(([reason, name]) => [name, plain.decode('struct counter', bytes, Number(reason) * size)]));
}

const plain = new Decoder(hostFingerprint);
const SPECIAL: Special = {
  'path_word.word': pathWordText,
  'vnic_slot.key': indexKeyText,
  'remote.key': indexKeyText,
  'vnic_counters.reasons': reasonCounts,
};
const decoder = new Decoder(hostFingerprint, SPECIAL);

export function decodeRow(type: string, bytes: Buffer): Plain {
  return decoder.decode(type, bytes);
}

type KeyNames = Pick<Site, 'link' | 'vnic'>;
/** @param perVnic slots of a vNIC in `flows` */
type KeyMeaning = (key: number, names: KeyNames, perVnic: number) => string;
const vnicKey: KeyMeaning = (id, names) => (id === 0 ? 'no vNIC' : names.vnic(id));
const interfaceKey: KeyMeaning = (ifindex, names) => names.link(ifindex);

const KEY_MEANINGS: Readonly<Partial<Record<MapName, KeyMeaning>>> = {
  vnics: vnicKey,
  vnic_addresses: vnicKey,
  paths: vnicKey,
  flow_seeds: vnicKey,
  counters: vnicKey,
  holds: vnicKey,
  seen_addresses: vnicKey,
  rss_wishes: (id, names) => (id === 0 ? 'host' : names.vnic(id)),
  steerings: (key, names) => {
    const role = portRoleNames[(key % ContractLimit.PORTS_PER_VNIC) as PortRole];
    return `${names.vnic(Math.floor(key / ContractLimit.PORTS_PER_VNIC))} ${role}`;
  },
  flows: (key, names, perVnic) => `${names.vnic(Math.floor(key / perVnic))} slot ${key % perVnic}`,
  tx_ports: interfaceKey,
  tap_programs: interfaceKey,
};

/** What a key stands for, such as "g1", "pf0", "g1 tap"; null when it stands for itself. */
export function keyName(map: MapName, key: Plain, names: KeyNames, perVnic: number): string | null {
  const meaning = KEY_MEANINGS[map];
  return meaning === undefined || typeof key !== 'number' ? null : meaning(key, names, perVnic);
}

/** Without what is zero throughout, but for single numbers; lists without the zeros at their end. "queues=2 reta=0001 queue_cpus=0,1" */
export function rowText(value: Plain): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return scalarText(value);
  return pairs(value as Readonly<Record<string, Plain>>, '').join(' ') || '-';
}

function pairs(fields: Readonly<Record<string, Plain>>, prefix: string): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (typeof value === 'string' && isNothing(value)) return [];
    if (isScalar(value)) return [`${prefix}${name}=${scalarText(value)}`];
    if (isNothing(value)) return [];
    if (!Array.isArray(value)) return pairs(value as Readonly<Record<string, Plain>>, `${prefix}${name}.`);
    const list = withoutTail(value as readonly Plain[]);
    if (list.every(isScalar)) return [`${prefix}${name}=${list.map(scalarText).join(',')}`];
    return list.flatMap((element, i) => (isNothing(element) ? [] : pairs({ [String(i)]: element }, `${prefix}${name}.`)));
  });
}

const isScalar = (value: Plain): boolean => typeof value !== 'object' || value === null;
const scalarText = (value: Plain): string => (value === null ? '-' : Array.isArray(value) ? value.map(scalarText).join(',') || '-' : String(value));

function isNothing(value: Plain): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isNothing);
  return value === 0 || value === null || (typeof value === 'string' && /^[0:.]*$/.test(value));
}

function withoutTail(list: readonly Plain[]): readonly Plain[] {
  const last = list.findLastIndex((value) => !isNothing(value));
  return list.slice(0, last + 1);
}
