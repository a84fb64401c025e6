// Made by `npm run gen` from the BTF of the compiled BPF objects. Do not edit: change maps/*.h and run it again.
/**
 * The layouts, values and maps that the packet programs and the control plane share. What they mean is said in maps/*.h.
 * Enums are not checked on reading: a value that is none of the names comes out as it is.
 */
import { type Codec, type RingSpec, arrayOf, be32, bytesOf, mapSpec, programRef, u16, u32, u64, u8 } from '../../src/btf/codec.js';
import type { Fingerprint } from '../../src/btf/verify.js';

/** enum bridge_vlan_flag; the prefix BRIDGE_VLAN_ is left out. */
export const BridgeVlanFlag = {
  PRESENT: 1,
  PVID: 2,
  UNTAGGED: 4,
} as const;

/** enum event_kind; the prefix EVENT_ is left out. */
export const EventKind = {
  PATH_CHANGED: 0,
  CONTROL: 1,
  HEARD: 2,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];
export const eventKindNames = {
  0: 'path_changed',
  1: 'control',
  2: 'heard',
} as const satisfies Record<EventKind, string>;

/** enum vnic_path; the prefix PATH_ is left out. */
export const VnicPath = {
  SOFTWARE: 0,
  ACCELERATED: 1,
} as const;
export type VnicPath = (typeof VnicPath)[keyof typeof VnicPath];
export const vnicPathNames = {
  0: 'software',
  1: 'accelerated',
} as const satisfies Record<VnicPath, string>;

/** enum contract_limit. */
export const ContractLimit = {
  CONTRACT_VERSION: 5,
  MAX_VNICS: 1024,
  MAX_QUEUES: 64,
  RETA_SIZE: 128,
  MAX_CPUS: 512,
  QUEUE_UNREACHABLE: 65535,
  QUIET_TICKS: 2,
  REFLECTED_TICKS: 8,
  FLOW_LIFETIME: 64,
  FLOW_EXPIRY: 1800,
  REMOTE_LIFETIME: 3600,
  CLOCK_SKEW: 8,
  VNIC_SLOTS: 16384,
  VNIC_PROBES: 4,
  REMOTE_SLOTS: 4096,
  RSS_INPUT_SIZE: 36,
  RSS_KEY_SIZE: 40,
  RSS_ROWS: 16,
  MAX_TAGS: 2,
  MAX_EXTENSIONS: 6,
  MAX_VLANS: 16,
  MAX_PREFIXES: 16,
  PORTS_PER_VNIC: 2,
  CONTROL_ETHERTYPE: 34997,
  CONTROL_MAGIC: 1431193936,
  CONTROL_MAC_HIGH: 512,
  CONTROL_MAC_LOW: 1,
  QUESTION_MAC_HIGH: 33554433,
} as const;

/** enum reason; the prefix REASON_ is left out. */
export const Reason = {
  REDIRECT_RSS: 0,
  REDIRECT_RFS: 1,
  REDIRECT_SINGLE: 2,
  REDIRECT_UPLINK: 3,
  PASS_SOFTWARE: 4,
  PASS_UNKNOWN_MAC: 5,
  PASS_MULTICAST: 6,
  PASS_OVERSIZE: 7,
  PASS_PARTIAL_CHECKSUM: 8,
  PASS_NO_TARGET: 9,
  PASS_RUNT: 10,
  PASS_UNKNOWN_PORT: 11,
  PASS_OTHER_DOMAIN: 12,
  PASS_TOO_MANY_TAGS: 13,
  DROP_SPOOFED_MAC: 14,
  DROP_SPOOFED_VLAN: 15,
  DROP_CONTROL: 16,
  CONTROL: 17,
  REDIRECT_DRAIN: 18,
  PASS_MULTI_BUFFER: 19,
  PASS_SAME_PORT: 20,
  PASS_NO_HEADROOM: 21,
  DROP_SPOOFED_ARP: 22,
  DROP_SPOOFED_ND: 23,
  DROP_SPOOFED_IP: 24,
  DROP_RETAGGED: 25,
  HELD: 26,
  DROP_HOLD_FULL: 27,
  REDIRECT_VF: 28,
  DROP_REFLECTED: 29,
  DROP_RATE: 30,
  PASS_NO_TRANSMIT: 31,
  COUNT: 32,
} as const;
export type Reason = (typeof Reason)[Exclude<keyof typeof Reason, 'COUNT'>];
export const reasonNames = {
  0: 'redirect_rss',
  1: 'redirect_rfs',
  2: 'redirect_single',
  3: 'redirect_uplink',
  4: 'pass_software',
  5: 'pass_unknown_mac',
  6: 'pass_multicast',
  7: 'pass_oversize',
  8: 'pass_partial_checksum',
  9: 'pass_no_target',
  10: 'pass_runt',
  11: 'pass_unknown_port',
  12: 'pass_other_domain',
  13: 'pass_too_many_tags',
  14: 'drop_spoofed_mac',
  15: 'drop_spoofed_vlan',
  16: 'drop_control',
  17: 'control',
  18: 'redirect_drain',
  19: 'pass_multi_buffer',
  20: 'pass_same_port',
  21: 'pass_no_headroom',
  22: 'drop_spoofed_arp',
  23: 'drop_spoofed_nd',
  24: 'drop_spoofed_ip',
  25: 'drop_retagged',
  26: 'held',
  27: 'drop_hold_full',
  28: 'redirect_vf',
  29: 'drop_reflected',
  30: 'drop_rate',
  31: 'pass_no_transmit',
} as const satisfies Record<Reason, string>;

/** enum path_bit; the prefix PATH_ is left out. */
export const PathBit = {
  MASK: 255,
  VF_ALLOWED: 256,
  HOLD: 512,
  RELEASE: 1024,
  GENERATION_SHIFT: 32,
} as const;

/** enum decision_none; the prefix DECISION_NO_ is left out. */
export const DecisionNone = {
  QUEUE: 255,
  CPU: 65535,
} as const;
export type DecisionNone = (typeof DecisionNone)[keyof typeof DecisionNone];
export const decisionNoneNames = {
  255: 'queue',
  65535: 'cpu',
} as const satisfies Record<DecisionNone, string>;

/** enum handover_bit; the prefix HANDOVER_ is left out. */
export const HandoverBit = {
  RETAGGED_SHIFT: 60,
  WIRE_SHIFT: 61,
} as const;

/** enum capture_limit; the prefix CAPTURE_ is left out. */
export const CaptureLimit = {
  OFF: 0,
  DECISIONS: 1,
  FRAMES: 2,
  SNAPLEN: 4096,
} as const;

/** enum hold_room; the prefix HOLD_ROOM_ is left out. */
export const HoldRoom = {
  SMALL: 256,
  USUAL: 1600,
  JUMBO: 10240,
  LARGE: 66048,
} as const;
export type HoldRoom = (typeof HoldRoom)[keyof typeof HoldRoom];
export const holdRoomNames = {
  256: 'small',
  1600: 'usual',
  10240: 'jumbo',
  66048: 'large',
} as const satisfies Record<HoldRoom, string>;

/** enum port_role; the prefix PORT_ is left out. */
export const PortRole = {
  TAP: 0,
  VF: 1,
} as const;
export type PortRole = (typeof PortRole)[keyof typeof PortRole];
export const portRoleNames = {
  0: 'tap',
  1: 'vf',
} as const satisfies Record<PortRole, string>;

/** enum redirect_error; the prefix REDIRECT_ERROR_ is left out. */
export const RedirectError = {
  REDIRECT: 0,
  DEVMAP: 1,
  CPUMAP: 2,
  EXCEPTION: 3,
} as const;
export type RedirectError = (typeof RedirectError)[keyof typeof RedirectError];
export const redirectErrorNames = {
  0: 'redirect',
  1: 'devmap',
  2: 'cpumap',
  3: 'exception',
} as const satisfies Record<RedirectError, string>;

/** enum rss_wish_flag; the prefix RSS_WISH_ is left out. */
export const RssWishFlag = {
  HASH_TYPES: 1,
  WEIGHTS: 2,
  KEY: 4,
  RANDOM: 8,
} as const;

/** enum hash_type; the prefix HASH_ is left out. */
export const HashType = {
  IPV4: 1,
  TCP_IPV4: 2,
  UDP_IPV4: 4,
  SCTP_IPV4: 8,
  IPV6: 16,
  TCP_IPV6: 32,
  UDP_IPV6: 64,
  SCTP_IPV6: 128,
  DEFAULT: 119,
} as const;
export type HashType = (typeof HashType)[keyof typeof HashType];
export const hashTypeNames = {
  1: 'ipv4',
  2: 'tcp_ipv4',
  4: 'udp_ipv4',
  8: 'sctp_ipv4',
  16: 'ipv6',
  32: 'tcp_ipv6',
  64: 'udp_ipv6',
  128: 'sctp_ipv6',
  119: 'default',
} as const satisfies Record<HashType, string>;

/** enum vnic_flag; the prefix VNIC_ is left out. */
export const VnicFlag = {
  CUT_THROUGH: 1,
  PLUGIN: 2,
  WANT_SOFTWARE: 4,
  WANT_ACCELERATED: 8,
  ACCESS: 16,
  CHECK_ADDRESSES: 32,
  TAP_MULTI_BUFFER: 64,
  VF_MULTI_BUFFER: 128,
  UPLINK_MULTI_BUFFER: 256,
  LIMITED: 512,
  VF_NO_TRANSMIT: 1024,
  UPLINK_NO_TRANSMIT: 2048,
} as const;

/** enum control_command; the prefix CONTROL_ is left out. */
export const ControlCommand = {
  DRAIN: 1,
  DRAINED: 2,
  RESUME: 3,
  RESUMED: 4,
} as const;
export type ControlCommand = (typeof ControlCommand)[keyof typeof ControlCommand];
export const controlCommandNames = {
  1: 'drain',
  2: 'drained',
  3: 'resume',
  4: 'resumed',
} as const satisfies Record<ControlCommand, string>;

/** struct bridge_vlan_key, 8 bytes. */
export interface BridgeVlanKey {
  readonly ifindex: number;
  readonly vid: number;
}

export const bridgeVlanKeyCodec: Codec<BridgeVlanKey> = {
  size: 8,
  read: (buffer, offset = 0) => ({
    ifindex: buffer.readUInt32LE(offset),
    vid: buffer.readUInt16LE(offset + 4),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.ifindex, offset);
    buffer.writeUInt16LE(value.vid, offset + 4);
    buffer.fill(0, offset + 6, offset + 8);
  },
};

/** struct bridge_vlan_note, 4 bytes. */
export interface BridgeVlanNote {
  readonly before: number;
}

export const bridgeVlanNoteCodec: Codec<BridgeVlanNote> = {
  size: 4,
  read: (buffer, offset = 0) => ({
    before: buffer.readUInt8(offset),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt8(value.before, offset);
    buffer.fill(0, offset + 1, offset + 4);
  },
};

/** struct capture_config, 40 bytes. */
export interface CaptureConfig {
  readonly untilNs: bigint;
  readonly snaplen: number;
  readonly sample: number;
  readonly ifindex: number;
  readonly vnic: number;
  readonly tapIfindex: number;
  readonly vfIfindex: number;
  readonly reasons: number;
  readonly verdicts: number;
}

export const captureConfigCodec: Codec<CaptureConfig> = {
  size: 40,
  read: (buffer, offset = 0) => ({
    untilNs: buffer.readBigUInt64LE(offset),
    snaplen: buffer.readUInt32LE(offset + 8),
    sample: buffer.readUInt32LE(offset + 12),
    ifindex: buffer.readUInt32LE(offset + 16),
    vnic: buffer.readUInt32LE(offset + 20),
    tapIfindex: buffer.readUInt32LE(offset + 24),
    vfIfindex: buffer.readUInt32LE(offset + 28),
    reasons: buffer.readUInt32LE(offset + 32),
    verdicts: buffer.readUInt32LE(offset + 36),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.untilNs, offset);
    buffer.writeUInt32LE(value.snaplen, offset + 8);
    buffer.writeUInt32LE(value.sample, offset + 12);
    buffer.writeUInt32LE(value.ifindex, offset + 16);
    buffer.writeUInt32LE(value.vnic, offset + 20);
    buffer.writeUInt32LE(value.tapIfindex, offset + 24);
    buffer.writeUInt32LE(value.vfIfindex, offset + 28);
    buffer.writeUInt32LE(value.reasons, offset + 32);
    buffer.writeUInt32LE(value.verdicts, offset + 36);
  },
};

/** struct capture_counts, 32 bytes. */
export interface CaptureCounts {
  readonly seen: bigint;
  readonly sampled: bigint;
  readonly matched: bigint;
  readonly lost: bigint;
}

export const captureCountsCodec: Codec<CaptureCounts> = {
  size: 32,
  read: (buffer, offset = 0) => ({
    seen: buffer.readBigUInt64LE(offset),
    sampled: buffer.readBigUInt64LE(offset + 8),
    matched: buffer.readBigUInt64LE(offset + 16),
    lost: buffer.readBigUInt64LE(offset + 24),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.seen, offset);
    buffer.writeBigUInt64LE(value.sampled, offset + 8);
    buffer.writeBigUInt64LE(value.matched, offset + 16);
    buffer.writeBigUInt64LE(value.lost, offset + 24);
  },
};

/** struct decision, 16 bytes. */
export interface Decision {
  readonly vnic: number;
  readonly targetIfindex: number;
  readonly hash: number;
  readonly cpu: number;
  readonly queue: number;
  readonly reason: number;
}

export const decisionCodec: Codec<Decision> = {
  size: 16,
  read: (buffer, offset = 0) => ({
    vnic: buffer.readUInt32LE(offset),
    targetIfindex: buffer.readUInt32LE(offset + 4),
    hash: buffer.readUInt32LE(offset + 8),
    cpu: buffer.readUInt16LE(offset + 12),
    queue: buffer.readUInt8(offset + 14),
    reason: buffer.readUInt8(offset + 15),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.vnic, offset);
    buffer.writeUInt32LE(value.targetIfindex, offset + 4);
    buffer.writeUInt32LE(value.hash, offset + 8);
    buffer.writeUInt16LE(value.cpu, offset + 12);
    buffer.writeUInt8(value.queue, offset + 14);
    buffer.writeUInt8(value.reason, offset + 15);
  },
};

/** struct capture_head, 48 bytes. */
export interface CaptureHead {
  readonly timeNs: bigint;
  readonly ifindex: number;
  readonly length: number;
  readonly captured: number;
  readonly verdict: number;
  readonly rxQueue: number;
  readonly cpu: number;
  readonly decision: Decision;
}

export const captureHeadCodec: Codec<CaptureHead> = {
  size: 48,
  read: (buffer, offset = 0) => ({
    timeNs: buffer.readBigUInt64LE(offset),
    ifindex: buffer.readUInt32LE(offset + 8),
    length: buffer.readUInt32LE(offset + 12),
    captured: buffer.readUInt32LE(offset + 16),
    verdict: buffer.readUInt32LE(offset + 20),
    rxQueue: buffer.readUInt16LE(offset + 24),
    cpu: buffer.readUInt16LE(offset + 26),
    decision: decisionCodec.read(buffer, offset + 32),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.timeNs, offset);
    buffer.writeUInt32LE(value.ifindex, offset + 8);
    buffer.writeUInt32LE(value.length, offset + 12);
    buffer.writeUInt32LE(value.captured, offset + 16);
    buffer.writeUInt32LE(value.verdict, offset + 20);
    buffer.writeUInt16LE(value.rxQueue, offset + 24);
    buffer.writeUInt16LE(value.cpu, offset + 26);
    buffer.fill(0, offset + 28, offset + 32);
    decisionCodec.write(value.decision, buffer, offset + 32);
  },
};

const bytes4096 = bytesOf(4096);

/** struct capture_scratch, 4144 bytes. */
export interface CaptureScratch {
  readonly head: CaptureHead;
  readonly bytes: Uint8Array;
}

export const captureScratchCodec: Codec<CaptureScratch> = {
  size: 4144,
  read: (buffer, offset = 0) => ({
    head: captureHeadCodec.read(buffer, offset),
    bytes: bytes4096.read(buffer, offset + 48),
  }),
  write: (value, buffer, offset = 0) => {
    captureHeadCodec.write(value.head, buffer, offset);
    bytes4096.write(value.bytes, buffer, offset + 48);
  },
};

/** struct counter, 16 bytes. */
export interface Counter {
  readonly packets: bigint;
  readonly bytes: bigint;
}

export const counterCodec: Codec<Counter> = {
  size: 16,
  read: (buffer, offset = 0) => ({
    packets: buffer.readBigUInt64LE(offset),
    bytes: buffer.readBigUInt64LE(offset + 8),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.packets, offset);
    buffer.writeBigUInt64LE(value.bytes, offset + 8);
  },
};

const counterx32 = arrayOf(counterCodec, 32);

const u64x64 = arrayOf(u64, 64);

/** struct vnic_counters, 1616 bytes. */
export interface VnicCounters {
  readonly reasons: readonly Counter[];
  readonly tapQueues: readonly bigint[];
  readonly vfQueues: readonly bigint[];
  readonly fromTap: Counter;
  readonly fromVf: Counter;
  readonly cpuHandovers: bigint;
  readonly flowsLearnt: bigint;
  readonly flowsMoved: bigint;
  readonly pathChanges: bigint;
  readonly flowsReplaced: bigint;
  readonly flowsExpired: bigint;
}

export const vnicCountersCodec: Codec<VnicCounters> = {
  size: 1616,
  read: (buffer, offset = 0) => ({
    reasons: counterx32.read(buffer, offset),
    tapQueues: u64x64.read(buffer, offset + 512),
    vfQueues: u64x64.read(buffer, offset + 1024),
    fromTap: counterCodec.read(buffer, offset + 1536),
    fromVf: counterCodec.read(buffer, offset + 1552),
    cpuHandovers: buffer.readBigUInt64LE(offset + 1568),
    flowsLearnt: buffer.readBigUInt64LE(offset + 1576),
    flowsMoved: buffer.readBigUInt64LE(offset + 1584),
    pathChanges: buffer.readBigUInt64LE(offset + 1592),
    flowsReplaced: buffer.readBigUInt64LE(offset + 1600),
    flowsExpired: buffer.readBigUInt64LE(offset + 1608),
  }),
  write: (value, buffer, offset = 0) => {
    counterx32.write(value.reasons, buffer, offset);
    u64x64.write(value.tapQueues, buffer, offset + 512);
    u64x64.write(value.vfQueues, buffer, offset + 1024);
    counterCodec.write(value.fromTap, buffer, offset + 1536);
    counterCodec.write(value.fromVf, buffer, offset + 1552);
    buffer.writeBigUInt64LE(value.cpuHandovers, offset + 1568);
    buffer.writeBigUInt64LE(value.flowsLearnt, offset + 1576);
    buffer.writeBigUInt64LE(value.flowsMoved, offset + 1584);
    buffer.writeBigUInt64LE(value.pathChanges, offset + 1592);
    buffer.writeBigUInt64LE(value.flowsReplaced, offset + 1600);
    buffer.writeBigUInt64LE(value.flowsExpired, offset + 1608);
  },
};

/** struct bpf_cpumap_val, 8 bytes. */
export interface BpfCpumapVal {
  readonly qsize: number;
  readonly bpfProg: number; // write: program fd, 0 or less = none; read: program id
}

export const bpfCpumapValCodec: Codec<BpfCpumapVal> = {
  size: 8,
  read: (buffer, offset = 0) => ({
    qsize: buffer.readUInt32LE(offset),
    bpfProg: programRef.read(buffer, offset + 4),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.qsize, offset);
    programRef.write(value.bpfProg, buffer, offset + 4);
  },
};

/** struct event, 24 bytes. */
export interface Event {
  readonly timeNs: bigint;
  readonly vnic: number;
  readonly generation: number;
  readonly ifindex: number;
  readonly kind: EventKind;
  readonly path: VnicPath;
  readonly command: number;
}

export const eventCodec: Codec<Event> = {
  size: 24,
  read: (buffer, offset = 0) => ({
    timeNs: buffer.readBigUInt64LE(offset),
    vnic: buffer.readUInt32LE(offset + 8),
    generation: buffer.readUInt32LE(offset + 12),
    ifindex: buffer.readUInt32LE(offset + 16),
    kind: buffer.readUInt8(offset + 20) as EventKind,
    path: buffer.readUInt8(offset + 21) as VnicPath,
    command: buffer.readUInt8(offset + 22),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.timeNs, offset);
    buffer.writeUInt32LE(value.vnic, offset + 8);
    buffer.writeUInt32LE(value.generation, offset + 12);
    buffer.writeUInt32LE(value.ifindex, offset + 16);
    buffer.writeUInt8(value.kind, offset + 20);
    buffer.writeUInt8(value.path, offset + 21);
    buffer.writeUInt8(value.command, offset + 22);
    buffer.fill(0, offset + 23, offset + 24);
  },
};

/** struct handover, 8 bytes. */
export interface Handover {
  readonly key: bigint;
}

export const handoverCodec: Codec<Handover> = {
  size: 8,
  read: (buffer, offset = 0) => ({
    key: buffer.readBigUInt64LE(offset),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.key, offset);
  },
};

/** struct held_frame, 24 bytes. */
export interface HeldFrame {
  readonly timeNs: bigint;
  readonly length: number;
  readonly segmentSize: number;
  readonly tag: number;
  readonly tagProtocol: number;
}

export const heldFrameCodec: Codec<HeldFrame> = {
  size: 24,
  read: (buffer, offset = 0) => ({
    timeNs: buffer.readBigUInt64LE(offset),
    length: buffer.readUInt32LE(offset + 8),
    segmentSize: buffer.readUInt16LE(offset + 12),
    tag: buffer.readUInt16LE(offset + 14),
    tagProtocol: buffer.readUInt16LE(offset + 16),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.timeNs, offset);
    buffer.writeUInt32LE(value.length, offset + 8);
    buffer.writeUInt16LE(value.segmentSize, offset + 12);
    buffer.writeUInt16LE(value.tag, offset + 14);
    buffer.writeUInt16LE(value.tagProtocol, offset + 16);
    buffer.fill(0, offset + 18, offset + 24);
  },
};

/** struct flow_record, 8 bytes. */
export interface FlowRecord {
  readonly tag: number;
  readonly seen: number;
  readonly queue: number;
  readonly valid: number;
}

export const flowRecordCodec: Codec<FlowRecord> = {
  size: 8,
  read: (buffer, offset = 0) => ({
    tag: buffer.readUInt32LE(offset),
    seen: buffer.readUInt16LE(offset + 4),
    queue: buffer.readUInt8(offset + 6),
    valid: buffer.readUInt8(offset + 7),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.tag, offset);
    buffer.writeUInt16LE(value.seen, offset + 4);
    buffer.writeUInt8(value.queue, offset + 6);
    buffer.writeUInt8(value.valid, offset + 7);
  },
};

/** struct flow, 16 bytes. */
export interface Flow {
  readonly learnt: FlowRecord;
  readonly steered: FlowRecord;
}

export const flowCodec: Codec<Flow> = {
  size: 16,
  read: (buffer, offset = 0) => ({
    learnt: flowRecordCodec.read(buffer, offset),
    steered: flowRecordCodec.read(buffer, offset + 8),
  }),
  write: (value, buffer, offset = 0) => {
    flowRecordCodec.write(value.learnt, buffer, offset);
    flowRecordCodec.write(value.steered, buffer, offset + 8);
  },
};

/** struct guest_drop_key, 8 bytes. */
export interface GuestDropKey {
  readonly vnic: number;
  readonly role: PortRole;
  readonly reason: number;
}

export const guestDropKeyCodec: Codec<GuestDropKey> = {
  size: 8,
  read: (buffer, offset = 0) => ({
    vnic: buffer.readUInt32LE(offset),
    role: buffer.readUInt8(offset + 4) as PortRole,
    reason: buffer.readUInt8(offset + 5),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.vnic, offset);
    buffer.writeUInt8(value.role, offset + 4);
    buffer.writeUInt8(value.reason, offset + 5);
    buffer.fill(0, offset + 6, offset + 8);
  },
};

const bytes32 = bytesOf(32);

/** struct meta, 48 bytes. */
export interface Meta {
  readonly contractVersion: number;
  readonly cpusMapId: number;
  readonly objectSha256: Uint8Array;
  readonly capturing: number;
}

export const metaCodec: Codec<Meta> = {
  size: 48,
  read: (buffer, offset = 0) => ({
    contractVersion: buffer.readUInt32LE(offset),
    cpusMapId: buffer.readUInt32LE(offset + 4),
    objectSha256: bytes32.read(buffer, offset + 8),
    capturing: buffer.readUInt32LE(offset + 40),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.contractVersion, offset);
    buffer.writeUInt32LE(value.cpusMapId, offset + 4);
    bytes32.write(value.objectSha256, buffer, offset + 8);
    buffer.writeUInt32LE(value.capturing, offset + 40);
    buffer.fill(0, offset + 44, offset + 48);
  },
};

/** struct path_word, 24 bytes. */
export interface PathWord {
  readonly word: bigint;
  readonly vfSeen: number;
  readonly tapMulticast: number;
  readonly holdUntilNs: bigint;
}

export const pathWordCodec: Codec<PathWord> = {
  size: 24,
  read: (buffer, offset = 0) => ({
    word: buffer.readBigUInt64LE(offset),
    vfSeen: buffer.readUInt32LE(offset + 8),
    tapMulticast: buffer.readUInt32LE(offset + 12),
    holdUntilNs: buffer.readBigUInt64LE(offset + 16),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.word, offset);
    buffer.writeUInt32LE(value.vfSeen, offset + 8);
    buffer.writeUInt32LE(value.tapMulticast, offset + 12);
    buffer.writeBigUInt64LE(value.holdUntilNs, offset + 16);
  },
};

/** struct redirect_error_key, 12 bytes. */
export interface RedirectErrorKey {
  readonly ifindex: number;
  readonly error: number;
  readonly kind: RedirectError;
}

export const redirectErrorKeyCodec: Codec<RedirectErrorKey> = {
  size: 12,
  read: (buffer, offset = 0) => ({
    ifindex: buffer.readUInt32LE(offset),
    error: buffer.readInt32LE(offset + 4),
    kind: buffer.readUInt8(offset + 8) as RedirectError,
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.ifindex, offset);
    buffer.writeInt32LE(value.error, offset + 4);
    buffer.writeUInt8(value.kind, offset + 8);
    buffer.fill(0, offset + 9, offset + 12);
  },
};

/** struct remote, 16 bytes. */
export interface Remote {
  readonly key: bigint;
  readonly uplinkIfindex: number;
  readonly learnt: number;
}

export const remoteCodec: Codec<Remote> = {
  size: 16,
  read: (buffer, offset = 0) => ({
    key: buffer.readBigUInt64LE(offset),
    uplinkIfindex: buffer.readUInt32LE(offset + 8),
    learnt: buffer.readUInt32LE(offset + 12),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.key, offset);
    buffer.writeUInt32LE(value.uplinkIfindex, offset + 8);
    buffer.writeUInt32LE(value.learnt, offset + 12);
  },
};

const bytes40 = bytesOf(40);

const u32x256 = arrayOf(u32, 256);

const u32x36x256 = arrayOf(u32x256, 36);

/** struct rss, 36904 bytes. */
export interface Rss {
  readonly key: Uint8Array;
  readonly tables: readonly (readonly number[])[];
}

export const rssCodec: Codec<Rss> = {
  size: 36904,
  read: (buffer, offset = 0) => ({
    key: bytes40.read(buffer, offset),
    tables: u32x36x256.read(buffer, offset + 40),
  }),
  write: (value, buffer, offset = 0) => {
    bytes40.write(value.key, buffer, offset);
    u32x36x256.write(value.tables, buffer, offset + 40);
  },
};

const bytes64 = bytesOf(64);

/** struct rss_wish, 68 bytes. */
export interface RssWish {
  readonly flags: number;
  readonly hashTypes: HashType;
  readonly rssRow: number;
  readonly weights: Uint8Array;
}

export const rssWishCodec: Codec<RssWish> = {
  size: 68,
  read: (buffer, offset = 0) => ({
    flags: buffer.readUInt8(offset),
    hashTypes: buffer.readUInt8(offset + 1) as HashType,
    rssRow: buffer.readUInt8(offset + 2),
    weights: bytes64.read(buffer, offset + 4),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt8(value.flags, offset);
    buffer.writeUInt8(value.hashTypes, offset + 1);
    buffer.writeUInt8(value.rssRow, offset + 2);
    buffer.fill(0, offset + 3, offset + 4);
    bytes64.write(value.weights, buffer, offset + 4);
  },
};

const be32x4 = arrayOf(be32, 4);

/** struct seen_addresses, 20 bytes. */
export interface SeenAddresses {
  readonly ipv4: number;
  readonly ipv6: readonly number[];
}

export const seenAddressesCodec: Codec<SeenAddresses> = {
  size: 20,
  read: (buffer, offset = 0) => ({
    ipv4: buffer.readUInt32BE(offset),
    ipv6: be32x4.read(buffer, offset + 4),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32BE(value.ipv4, offset);
    be32x4.write(value.ipv6, buffer, offset + 4);
  },
};

const bytes128 = bytesOf(128);

const u16x64 = arrayOf(u16, 64);

/** struct steering, 264 bytes. */
export interface Steering {
  readonly queues: number;
  readonly hashTypes: HashType;
  readonly rssRow: number;
  readonly nicHash: number;
  readonly reta: Uint8Array;
  readonly queueCpus: readonly number[];
}

export const steeringCodec: Codec<Steering> = {
  size: 264,
  read: (buffer, offset = 0) => ({
    queues: buffer.readUInt32LE(offset),
    hashTypes: buffer.readUInt8(offset + 4) as HashType,
    rssRow: buffer.readUInt8(offset + 5),
    nicHash: buffer.readUInt8(offset + 6),
    reta: bytes128.read(buffer, offset + 8),
    queueCpus: u16x64.read(buffer, offset + 136),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.queues, offset);
    buffer.writeUInt8(value.hashTypes, offset + 4);
    buffer.writeUInt8(value.rssRow, offset + 5);
    buffer.writeUInt8(value.nicHash, offset + 6);
    buffer.fill(0, offset + 7, offset + 8);
    bytes128.write(value.reta, buffer, offset + 8);
    u16x64.write(value.queueCpus, buffer, offset + 136);
  },
};

/** struct tap_program, 4 bytes. */
export interface TapProgram {
  readonly madeQdisc: number;
}

export const tapProgramCodec: Codec<TapProgram> = {
  size: 4,
  read: (buffer, offset = 0) => ({
    madeQdisc: buffer.readUInt32LE(offset),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.madeQdisc, offset);
  },
};

/** struct bpf_devmap_val, 8 bytes. */
export interface BpfDevmapVal {
  readonly ifindex: number;
  readonly bpfProg: number; // write: program fd, 0 or less = none; read: program id
}

export const bpfDevmapValCodec: Codec<BpfDevmapVal> = {
  size: 8,
  read: (buffer, offset = 0) => ({
    ifindex: buffer.readUInt32LE(offset),
    bpfProg: programRef.read(buffer, offset + 4),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.ifindex, offset);
    programRef.write(value.bpfProg, buffer, offset + 4);
  },
};

/** struct ipv4_prefix, 8 bytes. */
export interface Ipv4Prefix {
  readonly prefix: number;
  readonly mask: number;
}

export const ipv4PrefixCodec: Codec<Ipv4Prefix> = {
  size: 8,
  read: (buffer, offset = 0) => ({
    prefix: buffer.readUInt32BE(offset),
    mask: buffer.readUInt32BE(offset + 4),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32BE(value.prefix, offset);
    buffer.writeUInt32BE(value.mask, offset + 4);
  },
};

/** struct ipv6_prefix, 32 bytes. */
export interface Ipv6Prefix {
  readonly prefix: readonly number[];
  readonly mask: readonly number[];
}

export const ipv6PrefixCodec: Codec<Ipv6Prefix> = {
  size: 32,
  read: (buffer, offset = 0) => ({
    prefix: be32x4.read(buffer, offset),
    mask: be32x4.read(buffer, offset + 16),
  }),
  write: (value, buffer, offset = 0) => {
    be32x4.write(value.prefix, buffer, offset);
    be32x4.write(value.mask, buffer, offset + 16);
  },
};

const ipv4Prefixx16 = arrayOf(ipv4PrefixCodec, 16);

const ipv6Prefixx16 = arrayOf(ipv6PrefixCodec, 16);

/** struct vnic_addresses, 648 bytes. */
export interface VnicAddresses {
  readonly ipv4Count: number;
  readonly ipv6Count: number;
  readonly ipv4: readonly Ipv4Prefix[];
  readonly ipv6: readonly Ipv6Prefix[];
}

export const vnicAddressesCodec: Codec<VnicAddresses> = {
  size: 648,
  read: (buffer, offset = 0) => ({
    ipv4Count: buffer.readUInt32LE(offset),
    ipv6Count: buffer.readUInt32LE(offset + 4),
    ipv4: ipv4Prefixx16.read(buffer, offset + 8),
    ipv6: ipv6Prefixx16.read(buffer, offset + 136),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.ipv4Count, offset);
    buffer.writeUInt32LE(value.ipv6Count, offset + 4);
    ipv4Prefixx16.write(value.ipv4, buffer, offset + 8);
    ipv6Prefixx16.write(value.ipv6, buffer, offset + 136);
  },
};

/** struct vnic_rate, 24 bytes. */
export interface VnicRate {
  readonly freeAtNs: bigint;
  readonly burstNs: bigint;
  readonly psPerByte: number;
}

export const vnicRateCodec: Codec<VnicRate> = {
  size: 24,
  read: (buffer, offset = 0) => ({
    freeAtNs: buffer.readBigUInt64LE(offset),
    burstNs: buffer.readBigUInt64LE(offset + 8),
    psPerByte: buffer.readUInt32LE(offset + 16),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.freeAtNs, offset);
    buffer.writeBigUInt64LE(value.burstNs, offset + 8);
    buffer.writeUInt32LE(value.psPerByte, offset + 16);
    buffer.fill(0, offset + 20, offset + 24);
  },
};

/** struct vnic_slot, 16 bytes. */
export interface VnicSlot {
  readonly key: bigint;
  readonly vnic: number;
  readonly role: PortRole;
}

export const vnicSlotCodec: Codec<VnicSlot> = {
  size: 16,
  read: (buffer, offset = 0) => ({
    key: buffer.readBigUInt64LE(offset),
    vnic: buffer.readUInt32LE(offset + 8),
    role: buffer.readUInt8(offset + 12) as PortRole,
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.key, offset);
    buffer.writeUInt32LE(value.vnic, offset + 8);
    buffer.writeUInt8(value.role, offset + 12);
    buffer.fill(0, offset + 13, offset + 16);
  },
};

const bytes6 = bytesOf(6);

const u16x16 = arrayOf(u16, 16);

/** struct vnic, 64 bytes. */
export interface Vnic {
  readonly tapIfindex: number;
  readonly vfIfindex: number;
  readonly uplinkIfindex: number;
  readonly flags: number;
  readonly tapFrameMax: number;
  readonly vfFrameMax: number;
  readonly uplinkFrameMax: number;
  readonly vlan: number;
  readonly mac: Uint8Array;
  readonly vlanCount: number;
  readonly vlans: readonly number[];
}

export const vnicCodec: Codec<Vnic> = {
  size: 64,
  read: (buffer, offset = 0) => ({
    tapIfindex: buffer.readUInt32LE(offset),
    vfIfindex: buffer.readUInt32LE(offset + 4),
    uplinkIfindex: buffer.readUInt32LE(offset + 8),
    flags: buffer.readUInt32LE(offset + 12),
    tapFrameMax: buffer.readUInt16LE(offset + 16),
    vfFrameMax: buffer.readUInt16LE(offset + 18),
    uplinkFrameMax: buffer.readUInt16LE(offset + 20),
    vlan: buffer.readUInt16LE(offset + 22),
    mac: bytes6.read(buffer, offset + 24),
    vlanCount: buffer.readUInt16LE(offset + 30),
    vlans: u16x16.read(buffer, offset + 32),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.tapIfindex, offset);
    buffer.writeUInt32LE(value.vfIfindex, offset + 4);
    buffer.writeUInt32LE(value.uplinkIfindex, offset + 8);
    buffer.writeUInt32LE(value.flags, offset + 12);
    buffer.writeUInt16LE(value.tapFrameMax, offset + 16);
    buffer.writeUInt16LE(value.vfFrameMax, offset + 18);
    buffer.writeUInt16LE(value.uplinkFrameMax, offset + 20);
    buffer.writeUInt16LE(value.vlan, offset + 22);
    bytes6.write(value.mac, buffer, offset + 24);
    buffer.writeUInt16LE(value.vlanCount, offset + 30);
    u16x16.write(value.vlans, buffer, offset + 32);
  },
};

/** struct plugin_path, 48 bytes. */
export interface PluginPath {
  readonly rxPackets: bigint;
  readonly txPackets: bigint;
  readonly rxFirstNs: bigint;
  readonly rxLastNs: bigint;
  readonly txFirstNs: bigint;
  readonly txLastNs: bigint;
}

export const pluginPathCodec: Codec<PluginPath> = {
  size: 48,
  read: (buffer, offset = 0) => ({
    rxPackets: buffer.readBigUInt64LE(offset),
    txPackets: buffer.readBigUInt64LE(offset + 8),
    rxFirstNs: buffer.readBigUInt64LE(offset + 16),
    rxLastNs: buffer.readBigUInt64LE(offset + 24),
    txFirstNs: buffer.readBigUInt64LE(offset + 32),
    txLastNs: buffer.readBigUInt64LE(offset + 40),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeBigUInt64LE(value.rxPackets, offset);
    buffer.writeBigUInt64LE(value.txPackets, offset + 8);
    buffer.writeBigUInt64LE(value.rxFirstNs, offset + 16);
    buffer.writeBigUInt64LE(value.rxLastNs, offset + 24);
    buffer.writeBigUInt64LE(value.txFirstNs, offset + 32);
    buffer.writeBigUInt64LE(value.txLastNs, offset + 40);
  },
};

/** struct plugin_state, 120 bytes. */
export interface PluginState {
  readonly vfIfindex: number;
  readonly interfaceIfindex: number;
  readonly drained: number;
  readonly mac: Uint8Array;
  readonly tap: PluginPath;
  readonly vf: PluginPath;
}

export const pluginStateCodec: Codec<PluginState> = {
  size: 120,
  read: (buffer, offset = 0) => ({
    vfIfindex: buffer.readUInt32LE(offset),
    interfaceIfindex: buffer.readUInt32LE(offset + 4),
    drained: buffer.readUInt8(offset + 8),
    mac: bytes6.read(buffer, offset + 9),
    tap: pluginPathCodec.read(buffer, offset + 24),
    vf: pluginPathCodec.read(buffer, offset + 72),
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32LE(value.vfIfindex, offset);
    buffer.writeUInt32LE(value.interfaceIfindex, offset + 4);
    buffer.writeUInt8(value.drained, offset + 8);
    bytes6.write(value.mac, buffer, offset + 9);
    buffer.fill(0, offset + 15, offset + 24);
    pluginPathCodec.write(value.tap, buffer, offset + 24);
    pluginPathCodec.write(value.vf, buffer, offset + 72);
  },
};

/** struct control_frame, 48 bytes. */
export interface ControlFrame {
  readonly magic: number;
  readonly sequence: number;
  readonly command: ControlCommand;
}

export const controlFrameCodec: Codec<ControlFrame> = {
  size: 48,
  read: (buffer, offset = 0) => ({
    magic: buffer.readUInt32BE(offset),
    sequence: buffer.readUInt32BE(offset + 4),
    command: buffer.readUInt8(offset + 8) as ControlCommand,
  }),
  write: (value, buffer, offset = 0) => {
    buffer.writeUInt32BE(value.magic, offset);
    buffer.writeUInt32BE(value.sequence, offset + 4);
    buffer.writeUInt8(value.command, offset + 8);
    buffer.fill(0, offset + 9, offset + 48);
  },
};

export const hostMaps = {
  bridge_vlans: mapSpec('bridge_vlans', 'hash', bridgeVlanKeyCodec, bridgeVlanNoteCodec, { maxEntries: 65536, flags: 1 }),
  capture_configs: mapSpec('capture_configs', 'array', u32, captureConfigCodec, { maxEntries: 1, flags: 0 }),
  capture_counters: mapSpec('capture_counters', 'percpu_array', u32, captureCountsCodec, { maxEntries: 1, flags: 0 }),
  capture_frames: mapSpec('capture_frames', 'percpu_array', u32, captureScratchCodec, { maxEntries: 1, flags: 0 }),
  capture_ring: { name: 'capture_ring', type: 'ringbuf', maxEntries: 2097152 } satisfies RingSpec,
  counters: mapSpec('counters', 'percpu_array', u32, vnicCountersCodec, { maxEntries: 1024, flags: 0 }),
  cpus: mapSpec('cpus', 'cpumap', u32, bpfCpumapValCodec, { maxEntries: 512, flags: 0 }),
  decisions: mapSpec('decisions', 'percpu_array', u32, decisionCodec, { maxEntries: 1, flags: 0 }),
  events: { name: 'events', type: 'ringbuf', maxEntries: 262144 } satisfies RingSpec,
  events_lost: mapSpec('events_lost', 'percpu_array', u32, u64, { maxEntries: 1, flags: 0 }),
  flow_seeds: mapSpec('flow_seeds', 'array', u32, u64, { maxEntries: 1024, flags: 0 }),
  flows: mapSpec('flows', 'array', u32, flowCodec, { maxEntries: 1024, flags: 0 }),
  guest_drops: mapSpec('guest_drops', 'hash', guestDropKeyCodec, u64, { maxEntries: 16384, flags: 0 }),
  holds: mapSpec('holds', 'array_of_maps', u32, u32, { maxEntries: 1024, flags: 0 }),
  metas: mapSpec('metas', 'array', u32, metaCodec, { maxEntries: 1, flags: 0 }),
  paths: mapSpec('paths', 'array', u32, pathWordCodec, { maxEntries: 1024, flags: 1024 }),
  redirect_errors: mapSpec('redirect_errors', 'percpu_hash', redirectErrorKeyCodec, u64, { maxEntries: 4096, flags: 0 }),
  remotes: mapSpec('remotes', 'array', u32, remoteCodec, { maxEntries: 4096, flags: 0 }),
  rss: mapSpec('rss', 'array', u32, rssCodec, { maxEntries: 16, flags: 0 }),
  rss_wishes: mapSpec('rss_wishes', 'array', u32, rssWishCodec, { maxEntries: 1024, flags: 0 }),
  seen_addresses: mapSpec('seen_addresses', 'array', u32, seenAddressesCodec, { maxEntries: 1024, flags: 0 }),
  steerings: mapSpec('steerings', 'array', u32, steeringCodec, { maxEntries: 2048, flags: 0 }),
  tap_programs: mapSpec('tap_programs', 'hash', u32, tapProgramCodec, { maxEntries: 1024, flags: 0 }),
  tx_ports: mapSpec('tx_ports', 'devmap_hash', u32, bpfDevmapValCodec, { maxEntries: 2112, flags: 0 }),
  vnic_addresses: mapSpec('vnic_addresses', 'array', u32, vnicAddressesCodec, { maxEntries: 1024, flags: 0 }),
  vnic_rates: mapSpec('vnic_rates', 'array', u32, vnicRateCodec, { maxEntries: 1024, flags: 0 }),
  vnic_slots: mapSpec('vnic_slots', 'array', u32, vnicSlotCodec, { maxEntries: 16384, flags: 1024 }),
  vnics: mapSpec('vnics', 'array', u32, vnicCodec, { maxEntries: 1024, flags: 0 }),
} as const;

/** Variables set between open and load. */
export const hostKnobs = {
  flows_per_vnic: u32,
  frozen_tick: u32,
  own_netns: u32,
  tick_shift: u32,
  uplink_partial_checksum: u8,
} as const;

/** What an object must say of itself to be loaded; see src/btf/verify.ts. */
export const hostFingerprint: Fingerprint = {
  structs: {
    'bridge_vlan_key': { size: 8 },
    'bridge_vlan_key.ifindex': { offset: 0, type: '__u32' },
    'bridge_vlan_key.vid': { offset: 4, type: '__u16' },
    'bridge_vlan_key.reserved': { offset: 6, type: '__u16' },
    'bridge_vlan_note': { size: 4 },
    'bridge_vlan_note.before': { offset: 0, type: 'enum bridge_vlan_flag' },
    'bridge_vlan_note.reserved': { offset: 1, type: '__u8[3]' },
    'capture_config': { size: 40 },
    'capture_config.until_ns': { offset: 0, type: '__u64' },
    'capture_config.snaplen': { offset: 8, type: '__u32' },
    'capture_config.sample': { offset: 12, type: '__u32' },
    'capture_config.ifindex': { offset: 16, type: '__u32' },
    'capture_config.vnic': { offset: 20, type: '__u32' },
    'capture_config.tap_ifindex': { offset: 24, type: '__u32' },
    'capture_config.vf_ifindex': { offset: 28, type: '__u32' },
    'capture_config.reasons': { offset: 32, type: '__u32' },
    'capture_config.verdicts': { offset: 36, type: '__u32' },
    'capture_counts': { size: 32 },
    'capture_counts.seen': { offset: 0, type: '__u64' },
    'capture_counts.sampled': { offset: 8, type: '__u64' },
    'capture_counts.matched': { offset: 16, type: '__u64' },
    'capture_counts.lost': { offset: 24, type: '__u64' },
    'decision': { size: 16 },
    'decision.vnic': { offset: 0, type: '__u32' },
    'decision.target_ifindex': { offset: 4, type: '__u32' },
    'decision.hash': { offset: 8, type: '__u32' },
    'decision.cpu': { offset: 12, type: '__u16' },
    'decision.queue': { offset: 14, type: '__u8' },
    'decision.reason': { offset: 15, type: '__u8' },
    'capture_head': { size: 48 },
    'capture_head.time_ns': { offset: 0, type: '__u64' },
    'capture_head.ifindex': { offset: 8, type: '__u32' },
    'capture_head.length': { offset: 12, type: '__u32' },
    'capture_head.captured': { offset: 16, type: '__u32' },
    'capture_head.verdict': { offset: 20, type: '__u32' },
    'capture_head.rx_queue': { offset: 24, type: '__u16' },
    'capture_head.cpu': { offset: 26, type: '__u16' },
    'capture_head.reserved': { offset: 28, type: '__u32' },
    'capture_head.decision': { offset: 32, type: 'struct decision' },
    'capture_scratch': { size: 4144 },
    'capture_scratch.head': { offset: 0, type: 'struct capture_head' },
    'capture_scratch.bytes': { offset: 48, type: '__u8[4096]' },
    'counter': { size: 16 },
    'counter.packets': { offset: 0, type: '__u64' },
    'counter.bytes': { offset: 8, type: '__u64' },
    'vnic_counters': { size: 1616 },
    'vnic_counters.reasons': { offset: 0, type: 'struct counter[32]' },
    'vnic_counters.tap_queues': { offset: 512, type: '__u64[64]' },
    'vnic_counters.vf_queues': { offset: 1024, type: '__u64[64]' },
    'vnic_counters.from_tap': { offset: 1536, type: 'struct counter' },
    'vnic_counters.from_vf': { offset: 1552, type: 'struct counter' },
    'vnic_counters.cpu_handovers': { offset: 1568, type: '__u64' },
    'vnic_counters.flows_learnt': { offset: 1576, type: '__u64' },
    'vnic_counters.flows_moved': { offset: 1584, type: '__u64' },
    'vnic_counters.path_changes': { offset: 1592, type: '__u64' },
    'vnic_counters.flows_replaced': { offset: 1600, type: '__u64' },
    'vnic_counters.flows_expired': { offset: 1608, type: '__u64' },
    'bpf_cpumap_val': { size: 8 },
    'bpf_cpumap_val.qsize': { offset: 0, type: '__u32' },
    'bpf_cpumap_val.bpf_prog': { offset: 4, type: 'union bpf_prog' },
    'event': { size: 24 },
    'event.time_ns': { offset: 0, type: '__u64' },
    'event.vnic': { offset: 8, type: '__u32' },
    'event.generation': { offset: 12, type: '__u32' },
    'event.ifindex': { offset: 16, type: '__u32' },
    'event.kind': { offset: 20, type: 'enum event_kind' },
    'event.path': { offset: 21, type: 'enum vnic_path' },
    'event.command': { offset: 22, type: '__u8' },
    'event.reserved': { offset: 23, type: '__u8' },
    'handover': { size: 8 },
    'handover.key': { offset: 0, type: '__u64' },
    'held_frame': { size: 24 },
    'held_frame.time_ns': { offset: 0, type: '__u64' },
    'held_frame.length': { offset: 8, type: '__u32' },
    'held_frame.segment_size': { offset: 12, type: '__u16' },
    'held_frame.tag': { offset: 14, type: '__u16' },
    'held_frame.tag_protocol': { offset: 16, type: '__u16' },
    'held_frame.reserved': { offset: 18, type: '__u8[6]' },
    'flow_record': { size: 8 },
    'flow_record.tag': { offset: 0, type: '__u32' },
    'flow_record.seen': { offset: 4, type: '__u16' },
    'flow_record.queue': { offset: 6, type: '__u8' },
    'flow_record.valid': { offset: 7, type: '__u8' },
    'flow': { size: 16 },
    'flow.learnt': { offset: 0, type: 'struct flow_record' },
    'flow.steered': { offset: 8, type: 'struct flow_record' },
    'guest_drop_key': { size: 8 },
    'guest_drop_key.vnic': { offset: 0, type: '__u32' },
    'guest_drop_key.role': { offset: 4, type: 'enum port_role' },
    'guest_drop_key.reason': { offset: 5, type: '__u8' },
    'guest_drop_key.reserved': { offset: 6, type: '__u8[2]' },
    'meta': { size: 48 },
    'meta.contract_version': { offset: 0, type: '__u32' },
    'meta.cpus_map_id': { offset: 4, type: '__u32' },
    'meta.object_sha256': { offset: 8, type: '__u8[32]' },
    'meta.capturing': { offset: 40, type: '__u32' },
    'meta.reserved': { offset: 44, type: '__u32' },
    'path_word': { size: 24 },
    'path_word.word': { offset: 0, type: '__u64' },
    'path_word.vf_seen': { offset: 8, type: '__u32' },
    'path_word.tap_multicast': { offset: 12, type: '__u32' },
    'path_word.hold_until_ns': { offset: 16, type: '__u64' },
    'redirect_error_key': { size: 12 },
    'redirect_error_key.ifindex': { offset: 0, type: '__u32' },
    'redirect_error_key.error': { offset: 4, type: '__s32' },
    'redirect_error_key.kind': { offset: 8, type: 'enum redirect_error' },
    'redirect_error_key.reserved': { offset: 9, type: '__u8[3]' },
    'remote': { size: 16 },
    'remote.key': { offset: 0, type: '__u64' },
    'remote.uplink_ifindex': { offset: 8, type: '__u32' },
    'remote.learnt': { offset: 12, type: '__u32' },
    'rss': { size: 36904 },
    'rss.key': { offset: 0, type: '__u8[40]' },
    'rss.tables': { offset: 40, type: '__u32[36][256]' },
    'rss_wish': { size: 68 },
    'rss_wish.flags': { offset: 0, type: 'enum rss_wish_flag' },
    'rss_wish.hash_types': { offset: 1, type: 'enum hash_type' },
    'rss_wish.rss_row': { offset: 2, type: '__u8' },
    'rss_wish.reserved': { offset: 3, type: '__u8' },
    'rss_wish.weights': { offset: 4, type: '__u8[64]' },
    'seen_addresses': { size: 20 },
    'seen_addresses.ipv4': { offset: 0, type: '__be32' },
    'seen_addresses.ipv6': { offset: 4, type: '__be32[4]' },
    'steering': { size: 264 },
    'steering.queues': { offset: 0, type: '__u32' },
    'steering.hash_types': { offset: 4, type: 'enum hash_type' },
    'steering.rss_row': { offset: 5, type: '__u8' },
    'steering.nic_hash': { offset: 6, type: '__u8' },
    'steering.reserved': { offset: 7, type: '__u8' },
    'steering.reta': { offset: 8, type: '__u8[128]' },
    'steering.queue_cpus': { offset: 136, type: '__u16[64]' },
    'tap_program': { size: 4 },
    'tap_program.made_qdisc': { offset: 0, type: '__u32' },
    'bpf_devmap_val': { size: 8 },
    'bpf_devmap_val.ifindex': { offset: 0, type: '__u32' },
    'bpf_devmap_val.bpf_prog': { offset: 4, type: 'union bpf_prog' },
    'ipv4_prefix': { size: 8 },
    'ipv4_prefix.prefix': { offset: 0, type: '__be32' },
    'ipv4_prefix.mask': { offset: 4, type: '__be32' },
    'ipv6_prefix': { size: 32 },
    'ipv6_prefix.prefix': { offset: 0, type: '__be32[4]' },
    'ipv6_prefix.mask': { offset: 16, type: '__be32[4]' },
    'vnic_addresses': { size: 648 },
    'vnic_addresses.ipv4_count': { offset: 0, type: '__u32' },
    'vnic_addresses.ipv6_count': { offset: 4, type: '__u32' },
    'vnic_addresses.ipv4': { offset: 8, type: 'struct ipv4_prefix[16]' },
    'vnic_addresses.ipv6': { offset: 136, type: 'struct ipv6_prefix[16]' },
    'vnic_rate': { size: 24 },
    'vnic_rate.free_at_ns': { offset: 0, type: '__u64' },
    'vnic_rate.burst_ns': { offset: 8, type: '__u64' },
    'vnic_rate.ps_per_byte': { offset: 16, type: '__u32' },
    'vnic_rate.reserved': { offset: 20, type: '__u32' },
    'vnic_slot': { size: 16 },
    'vnic_slot.key': { offset: 0, type: '__u64' },
    'vnic_slot.vnic': { offset: 8, type: '__u32' },
    'vnic_slot.role': { offset: 12, type: 'enum port_role' },
    'vnic_slot.reserved': { offset: 13, type: '__u8[3]' },
    'vnic': { size: 64 },
    'vnic.tap_ifindex': { offset: 0, type: '__u32' },
    'vnic.vf_ifindex': { offset: 4, type: '__u32' },
    'vnic.uplink_ifindex': { offset: 8, type: '__u32' },
    'vnic.flags': { offset: 12, type: 'enum vnic_flag' },
    'vnic.tap_frame_max': { offset: 16, type: '__u16' },
    'vnic.vf_frame_max': { offset: 18, type: '__u16' },
    'vnic.uplink_frame_max': { offset: 20, type: '__u16' },
    'vnic.vlan': { offset: 22, type: '__u16' },
    'vnic.mac': { offset: 24, type: '__u8[6]' },
    'vnic.vlan_count': { offset: 30, type: '__u16' },
    'vnic.vlans': { offset: 32, type: '__u16[16]' },
  },
  enums: {
    'enum bridge_vlan_flag': { size: 1, BRIDGE_VLAN_PRESENT: 1, BRIDGE_VLAN_PVID: 2, BRIDGE_VLAN_UNTAGGED: 4 },
    'enum event_kind': { size: 1, EVENT_PATH_CHANGED: 0, EVENT_CONTROL: 1, EVENT_HEARD: 2 },
    'enum vnic_path': { size: 1, PATH_SOFTWARE: 0, PATH_ACCELERATED: 1 },
    'enum contract_limit': {
      size: 4,
      CONTRACT_VERSION: 5,
      MAX_VNICS: 1024,
      MAX_QUEUES: 64,
      RETA_SIZE: 128,
      MAX_CPUS: 512,
      QUEUE_UNREACHABLE: 65535,
      QUIET_TICKS: 2,
      REFLECTED_TICKS: 8,
      FLOW_LIFETIME: 64,
      FLOW_EXPIRY: 1800,
      REMOTE_LIFETIME: 3600,
      CLOCK_SKEW: 8,
      VNIC_SLOTS: 16384,
      VNIC_PROBES: 4,
      REMOTE_SLOTS: 4096,
      RSS_INPUT_SIZE: 36,
      RSS_KEY_SIZE: 40,
      RSS_ROWS: 16,
      MAX_TAGS: 2,
      MAX_EXTENSIONS: 6,
      MAX_VLANS: 16,
      MAX_PREFIXES: 16,
      PORTS_PER_VNIC: 2,
      CONTROL_ETHERTYPE: 34997,
      CONTROL_MAGIC: 1431193936,
      CONTROL_MAC_HIGH: 512,
      CONTROL_MAC_LOW: 1,
      QUESTION_MAC_HIGH: 33554433,
    },
    'enum reason': {
      size: 4,
      REASON_REDIRECT_RSS: 0,
      REASON_REDIRECT_RFS: 1,
      REASON_REDIRECT_SINGLE: 2,
      REASON_REDIRECT_UPLINK: 3,
      REASON_PASS_SOFTWARE: 4,
      REASON_PASS_UNKNOWN_MAC: 5,
      REASON_PASS_MULTICAST: 6,
      REASON_PASS_OVERSIZE: 7,
      REASON_PASS_PARTIAL_CHECKSUM: 8,
      REASON_PASS_NO_TARGET: 9,
      REASON_PASS_RUNT: 10,
      REASON_PASS_UNKNOWN_PORT: 11,
      REASON_PASS_OTHER_DOMAIN: 12,
      REASON_PASS_TOO_MANY_TAGS: 13,
      REASON_DROP_SPOOFED_MAC: 14,
      REASON_DROP_SPOOFED_VLAN: 15,
      REASON_DROP_CONTROL: 16,
      REASON_CONTROL: 17,
      REASON_REDIRECT_DRAIN: 18,
      REASON_PASS_MULTI_BUFFER: 19,
      REASON_PASS_SAME_PORT: 20,
      REASON_PASS_NO_HEADROOM: 21,
      REASON_DROP_SPOOFED_ARP: 22,
      REASON_DROP_SPOOFED_ND: 23,
      REASON_DROP_SPOOFED_IP: 24,
      REASON_DROP_RETAGGED: 25,
      REASON_HELD: 26,
      REASON_DROP_HOLD_FULL: 27,
      REASON_REDIRECT_VF: 28,
      REASON_DROP_REFLECTED: 29,
      REASON_DROP_RATE: 30,
      REASON_PASS_NO_TRANSMIT: 31,
      REASON_COUNT: 32,
    },
    'enum path_bit': { size: 4, PATH_MASK: 255, PATH_VF_ALLOWED: 256, PATH_HOLD: 512, PATH_RELEASE: 1024, PATH_GENERATION_SHIFT: 32 },
    'enum decision_none': { size: 4, DECISION_NO_QUEUE: 255, DECISION_NO_CPU: 65535 },
    'enum handover_bit': { size: 4, HANDOVER_RETAGGED_SHIFT: 60, HANDOVER_WIRE_SHIFT: 61 },
    'enum capture_limit': { size: 4, CAPTURE_OFF: 0, CAPTURE_DECISIONS: 1, CAPTURE_FRAMES: 2, CAPTURE_SNAPLEN: 4096 },
    'enum hold_room': { size: 4, HOLD_ROOM_SMALL: 256, HOLD_ROOM_USUAL: 1600, HOLD_ROOM_JUMBO: 10240, HOLD_ROOM_LARGE: 66048 },
    'enum port_role': { size: 1, PORT_TAP: 0, PORT_VF: 1 },
    'enum redirect_error': {
      size: 1,
      REDIRECT_ERROR_REDIRECT: 0,
      REDIRECT_ERROR_DEVMAP: 1,
      REDIRECT_ERROR_CPUMAP: 2,
      REDIRECT_ERROR_EXCEPTION: 3,
    },
    'enum rss_wish_flag': { size: 1, RSS_WISH_HASH_TYPES: 1, RSS_WISH_WEIGHTS: 2, RSS_WISH_KEY: 4, RSS_WISH_RANDOM: 8 },
    'enum hash_type': {
      size: 1,
      HASH_IPV4: 1,
      HASH_TCP_IPV4: 2,
      HASH_UDP_IPV4: 4,
      HASH_SCTP_IPV4: 8,
      HASH_IPV6: 16,
      HASH_TCP_IPV6: 32,
      HASH_UDP_IPV6: 64,
      HASH_SCTP_IPV6: 128,
      HASH_DEFAULT: 119,
    },
    'enum vnic_flag': {
      size: 4,
      VNIC_CUT_THROUGH: 1,
      VNIC_PLUGIN: 2,
      VNIC_WANT_SOFTWARE: 4,
      VNIC_WANT_ACCELERATED: 8,
      VNIC_ACCESS: 16,
      VNIC_CHECK_ADDRESSES: 32,
      VNIC_TAP_MULTI_BUFFER: 64,
      VNIC_VF_MULTI_BUFFER: 128,
      VNIC_UPLINK_MULTI_BUFFER: 256,
      VNIC_LIMITED: 512,
      VNIC_VF_NO_TRANSMIT: 1024,
      VNIC_UPLINK_NO_TRANSMIT: 2048,
    },
  },
  maps: {
    'map bridge_vlans': { type: 'hash', key: 'struct bridge_vlan_key', value: 'struct bridge_vlan_note', max_entries: 65536, flags: 1 },
    'map capture_configs': { type: 'array', key: '__u32', value: 'struct capture_config', max_entries: 1, flags: 0 },
    'map capture_counters': { type: 'percpu_array', key: '__u32', value: 'struct capture_counts', max_entries: 1, flags: 0 },
    'map capture_frames': { type: 'percpu_array', key: '__u32', value: 'struct capture_scratch', max_entries: 1, flags: 0 },
    'map capture_ring': { type: 'ringbuf', max_entries: 2097152, flags: 0 },
    'map counters': { type: 'percpu_array', key: '__u32', value: 'struct vnic_counters', max_entries: 1024, flags: 0 },
    'map cpus': { type: 'cpumap', key: '__u32', value: 'struct bpf_cpumap_val', max_entries: 512, flags: 0 },
    'map decisions': { type: 'percpu_array', key: '__u32', value: 'struct decision', max_entries: 1, flags: 0 },
    'map events': { type: 'ringbuf', max_entries: 262144, flags: 0 },
    'map events_lost': { type: 'percpu_array', key: '__u32', value: '__u64', max_entries: 1, flags: 0 },
    'map flow_seeds': { type: 'array', key: '__u32', value: '__u64', max_entries: 1024, flags: 0 },
    'map flows': { type: 'array', key: '__u32', value: 'struct flow', max_entries: 1024, flags: 0 },
    'map guest_drops': { type: 'hash', key: 'struct guest_drop_key', value: '__u64', max_entries: 16384, flags: 0 },
    'map holds': { type: 'array_of_maps', key: '__u32', value: '__u32', max_entries: 1024, flags: 0 },
    'map metas': { type: 'array', key: '__u32', value: 'struct meta', max_entries: 1, flags: 0 },
    'map paths': { type: 'array', key: '__u32', value: 'struct path_word', max_entries: 1024, flags: 1024 },
    'map redirect_errors': { type: 'percpu_hash', key: 'struct redirect_error_key', value: '__u64', max_entries: 4096, flags: 0 },
    'map remotes': { type: 'array', key: '__u32', value: 'struct remote', max_entries: 4096, flags: 0 },
    'map rss': { type: 'array', key: '__u32', value: 'struct rss', max_entries: 16, flags: 0 },
    'map rss_wishes': { type: 'array', key: '__u32', value: 'struct rss_wish', max_entries: 1024, flags: 0 },
    'map seen_addresses': { type: 'array', key: '__u32', value: 'struct seen_addresses', max_entries: 1024, flags: 0 },
    'map steerings': { type: 'array', key: '__u32', value: 'struct steering', max_entries: 2048, flags: 0 },
    'map tap_programs': { type: 'hash', key: '__u32', value: 'struct tap_program', max_entries: 1024, flags: 0 },
    'map tx_ports': { type: 'devmap_hash', key: '__u32', value: 'struct bpf_devmap_val', max_entries: 2112, flags: 0 },
    'map vnic_addresses': { type: 'array', key: '__u32', value: 'struct vnic_addresses', max_entries: 1024, flags: 0 },
    'map vnic_rates': { type: 'array', key: '__u32', value: 'struct vnic_rate', max_entries: 1024, flags: 0 },
    'map vnic_slots': { type: 'array', key: '__u32', value: 'struct vnic_slot', max_entries: 16384, flags: 1024 },
    'map vnics': { type: 'array', key: '__u32', value: 'struct vnic', max_entries: 1024, flags: 0 },
  },
  knobs: {
    'knob flows_per_vnic': { type: '__u32' },
    'knob frozen_tick': { type: '__u32' },
    'knob own_netns': { type: '__u32' },
    'knob tick_shift': { type: '__u32' },
    'knob uplink_partial_checksum': { type: '__u8' },
  },
};

export const pluginMaps = {
  metas: mapSpec('metas', 'array', u32, metaCodec, { maxEntries: 1, flags: 0 }),
  plugin_states: mapSpec('plugin_states', 'array', u32, pluginStateCodec, { maxEntries: 1, flags: 1024 }),
} as const;

/** What an object must say of itself to be loaded; see src/btf/verify.ts. */
export const pluginFingerprint: Fingerprint = {
  structs: {
    'meta': { size: 48 },
    'meta.contract_version': { offset: 0, type: '__u32' },
    'meta.cpus_map_id': { offset: 4, type: '__u32' },
    'meta.object_sha256': { offset: 8, type: '__u8[32]' },
    'meta.capturing': { offset: 40, type: '__u32' },
    'meta.reserved': { offset: 44, type: '__u32' },
    'plugin_path': { size: 48 },
    'plugin_path.rx_packets': { offset: 0, type: '__u64' },
    'plugin_path.tx_packets': { offset: 8, type: '__u64' },
    'plugin_path.rx_first_ns': { offset: 16, type: '__u64' },
    'plugin_path.rx_last_ns': { offset: 24, type: '__u64' },
    'plugin_path.tx_first_ns': { offset: 32, type: '__u64' },
    'plugin_path.tx_last_ns': { offset: 40, type: '__u64' },
    'plugin_state': { size: 120 },
    'plugin_state.vf_ifindex': { offset: 0, type: '__u32' },
    'plugin_state.interface_ifindex': { offset: 4, type: '__u32' },
    'plugin_state.drained': { offset: 8, type: '__u8' },
    'plugin_state.mac': { offset: 9, type: '__u8[6]' },
    'plugin_state.reserved': { offset: 15, type: '__u8[9]' },
    'plugin_state.tap': { offset: 24, type: 'struct plugin_path' },
    'plugin_state.vf': { offset: 72, type: 'struct plugin_path' },
    'control_frame': { size: 48 },
    'control_frame.magic': { offset: 0, type: '__be32' },
    'control_frame.sequence': { offset: 4, type: '__be32' },
    'control_frame.command': { offset: 8, type: 'enum control_command' },
    'control_frame.reserved': { offset: 9, type: '__u8[39]' },
  },
  enums: {
    'enum control_command': { size: 1, CONTROL_DRAIN: 1, CONTROL_DRAINED: 2, CONTROL_RESUME: 3, CONTROL_RESUMED: 4 },
  },
  maps: {
    'map metas': { type: 'array', key: '__u32', value: 'struct meta', max_entries: 1, flags: 0 },
    'map plugin_states': { type: 'array', key: '__u32', value: 'struct plugin_state', max_entries: 1, flags: 1024 },
  },
  knobs: {
  },
};
