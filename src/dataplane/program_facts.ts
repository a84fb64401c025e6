/** Looks at the pinned programs and at where they are attached. */
import { hostMaps } from '../../maps/generated/contract.js';
import { BpfMap, RawMap } from '../native/map.js';
import { isNativeError } from '../native/errors.js';
import { TracingLink, XdpLink } from '../native/link.js';
import type { LinkHandle } from '../native/link_handle.js';
import { BpfProgram } from '../native/program.js';
import { ProgramType } from '../native/program_types.js';
import { TcxLink } from '../native/tcx_link.js';
import { listBound } from './bound_program.js';
import { PINNED_PROGRAMS } from './loader.js';
import type { XdpMode } from './port.js';
import { NoDataPlaneError, type Site } from './site.js';

export interface ProgramAttachment {
  readonly hook: 'xdp' | 'cpumap' | 'tcx_egress' | 'tc_egress' | 'tracepoint';
  /** Interface, CPU or tracepoint. */
  readonly place: string;
  /** Of XDP; null elsewhere, and where the kernel does not say. */
  readonly mode: XdpMode | null;
}

export interface ProgramFacts {
  readonly name: string;
  readonly id: number;
  readonly type: string;
  /** 16 hexadecimal digits that depend on the instructions alone. */
  readonly tag: string;
  readonly attached: readonly ProgramAttachment[];
  /** Since it was loaded, counted only while sysctl kernel.bpf_stats_enabled was 1. */
  readonly runs: { readonly count: bigint; readonly nanoseconds: bigint };
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [ProgramType.SCHED_CLS]: 'sched_cls', [ProgramType.SCHED_ACT]: 'sched_act', [ProgramType.XDP]: 'xdp',
  [ProgramType.RAW_TRACEPOINT]: 'raw_tracepoint', [ProgramType.TRACING]: 'tracing',
};

/** Of bpf/observe.bpf.c. */
const TRACEPOINTS: Readonly<Record<string, string>> = {
  observe_redirect: 'xdp_redirect_err', observe_devmap: 'xdp_devmap_xmit', observe_cpumap: 'xdp_cpumap_enqueue', observe_exception: 'xdp_exception',
};

interface Place extends ProgramAttachment {
  readonly programId: number;
}

/** The pinned ones, then those that count what the kernel drops. @throws NoDataPlaneError */
export function allProgramFacts(site: Site): readonly ProgramFacts[] {
  const places = [...xdpPlaces(site), ...cpuPlaces(site), ...egressPlaces(site)];
  const observers = site.pins.listTracing().map((name) => observerFacts(site, name));
  const bound = listBound(site.pins).map((ifindex) => pinnedFacts(site, `steer_uplink_hw-${ifindex}`, places));
  return [...PINNED_PROGRAMS.map((name) => pinnedFacts(site, name, places)), ...bound, ...observers.filter((facts) => facts !== null)];
}

function factsOf(program: BpfProgram, name: string, attached: readonly ProgramAttachment[]): ProgramFacts {
  const { id, type, tag } = program;
  return { name, id, type: TYPE_NAMES[type] ?? String(type), tag, attached, runs: program.runs() };
}

function pinnedFacts(site: Site, name: string, places: readonly Place[]): ProgramFacts {
  let program: BpfProgram;
  try {
    program = BpfProgram.fromPin(site.pins.program(name));
  } catch (error) {
    if (isNativeError(error, 'ENOENT')) throw new NoDataPlaneError(`program ${name} is not pinned at ${site.pins.folder}`);
    throw error;
  }
  try {
    // A filter of tc does not say whose program it has; only this one is attached so.
    const isHere = ({ programId, hook }: Place): boolean => (hook === 'tc_egress' ? name === 'steer_tap' : programId === program.id);
    return factsOf(program, name, places.filter(isHere).map(({ hook, place, mode }) => ({ hook, place, mode })));
  } finally {
    program.close();
  }
}

/** Null: it went meanwhile. */
function observerFacts(site: Site, name: string): ProgramFacts | null {
  const link = withLink(() => TracingLink.fromPin(site.pins.tracing(name)), (info) => info);
  const program = link === null ? null : BpfProgram.fromId(link.programId);
  if (program === null) return null;
  try {
    return factsOf(program, name, [{ hook: 'tracepoint', place: TRACEPOINTS[name] ?? name, mode: null }]);
  } finally {
    program.close();
  }
}

/** Null when the pin went meanwhile. */
function withLink<T>(open: () => LinkHandle, look: (info: ReturnType<LinkHandle['info']>) => T): T | null {
  let link: LinkHandle;
  try {
    link = open();
  } catch (error) {
    if (isNativeError(error, 'ENOENT')) return null;
    throw error;
  }
  try {
    return look(link.info());
  } finally {
    link.close();
  }
}

/** Of devices that are there. */
function xdpPlaces(site: Site): Place[] {
  return site.pins.listLinks().flatMap((ifindex) => {
    const info = withLink(() => XdpLink.fromPin(site.pins.link(ifindex)), (each) => each);
    if (info === null || info.ifindex === 0) return [];
    return [{ hook: 'xdp' as const, place: site.link(ifindex), mode: site.xdpModes.get(ifindex) ?? null, programId: info.programId }];
  });
}

function egressPlaces(site: Site): Place[] {
  const links = site.pins.listEgressLinks().flatMap((ifindex) => {
    const info = withLink(() => TcxLink.fromPin(site.pins.egressLink(ifindex)), (each) => each);
    return info === null || info.ifindex === 0 ? [] : [{ hook: 'tcx_egress' as const, place: site.link(ifindex), mode: null, programId: info.programId }];
  });
  const { key, value } = hostMaps.tap_programs;
  const notes = new BpfMap(RawMap.fromPin(site.pins.map('tap_programs'), { readOnly: true }), key, value);
  try {
    const filters = Array.from(notes.keys(), (ifindex) => ({ hook: 'tc_egress' as const, place: site.link(ifindex), mode: null, programId: 0 }));
    return [...links, ...filters];
  } finally {
    notes.close();
  }
}

function cpuPlaces(site: Site): Place[] {
  const { key, value } = hostMaps.cpus;
  const cpus = new BpfMap(RawMap.fromPin(site.pins.map('cpus'), { readOnly: true }), key, value);
  try {
    return Array.from(cpus.entries(), ([cpu, { bpfProg }]) => ({ hook: 'cpumap' as const, place: `CPU ${cpu}`, mode: null, programId: bpfProg }));
  } finally {
    cpus.close();
  }
}
