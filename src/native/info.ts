/** What the kernel says about a map, program or link that we have a descriptor of. */
import { check } from './errors.js';
import { libbpf } from './libbpf.js';
import { linkInfo, mapInfo, programInfo, type StructLayout } from './structs.js';

export interface MapInfo {
  readonly id: number;
  /** enum bpf_map_type */
  readonly type: number;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

export interface ProgramInfo {
  readonly id: number;
  /** enum bpf_prog_type */
  readonly type: number;
  /** Cut to 15 characters by the kernel. */
  readonly name: string;
  /** 16 hex digits: a hash of the instructions. */
  readonly tag: string;
  /** Instructions that the verifier went through, on all ways together; it gives up after a million. */
  readonly verified: number;
  /** What it ran so far, while sysctl kernel.bpf_stats_enabled was 1. */
  readonly runs: { readonly count: bigint; readonly nanoseconds: bigint };
}

export interface LinkInfo {
  readonly linkId: number;
  /** enum bpf_link_type */
  readonly type: number;
  readonly programId: number;
  /** Of an XDP link; 0 when its device is gone. Meaningless for other types. */
  readonly ifindex: number;
}

const nameBytes = 16;
const tagBytes = 8;

function fill(fd: number, layout: StructLayout, what: string): Buffer {
  const info = Buffer.alloc(layout.size);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(layout.size);
  check('bpf_obj_get_info_by_fd', libbpf().bpf_obj_get_info_by_fd(fd, info, size), what);
  return info;
}

function readName(info: Buffer, offset: number): string {
  const bytes = info.subarray(offset, offset + nameBytes);
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? nameBytes : end);
}

export function getMapInfo(fd: number, what: string): MapInfo {
  const info = fill(fd, mapInfo, what);
  const at = mapInfo.at;
  return {
    id: info.readUInt32LE(at.id),
    type: info.readUInt32LE(at.type),
    name: readName(info, at.name),
    keySize: info.readUInt32LE(at.key_size),
    valueSize: info.readUInt32LE(at.value_size),
    maxEntries: info.readUInt32LE(at.max_entries),
    flags: info.readUInt32LE(at.map_flags),
  };
}

export function getProgramInfo(fd: number, what: string): ProgramInfo {
  const info = fill(fd, programInfo, what);
  const at = programInfo.at;
  return {
    id: info.readUInt32LE(at.id),
    type: info.readUInt32LE(at.type),
    name: readName(info, at.name),
    tag: info.toString('hex', at.tag, at.tag + tagBytes),
    verified: info.readUInt32LE(at.verified_insns),
    runs: { count: info.readBigUInt64LE(at.run_cnt), nanoseconds: info.readBigUInt64LE(at.run_time_ns) },
  };
}

export function getLinkInfo(fd: number, what: string): LinkInfo {
  const info = fill(fd, linkInfo, what);
  const at = linkInfo.at;
  return {
    linkId: info.readUInt32LE(at.id),
    type: info.readUInt32LE(at.type),
    programId: info.readUInt32LE(at.prog_id),
    ifindex: info.readUInt32LE(at['xdp.ifindex']),
  };
}
