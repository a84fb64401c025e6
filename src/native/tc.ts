/** Programs at a device's tc hooks (clsact), direct-action. */
import { E } from './errno.js';
import { check, ForeignProgramError } from './errors.js';
import { libbpf } from './libbpf.js';
import type { BpfProgram } from './program.js';
import { type StructLayout, tcHook, tcOpts } from './structs.js';

export type TcDirection = 'ingress' | 'egress';

/** The place of a filter. Both are the caller's choice, 1 .. 65535 and 1 .. 2^32 - 1: they name the filter from then on. */
export interface TcPlace {
  readonly priority: number;
  readonly handle: number;
}

export interface TcAttachment extends TcPlace {
  readonly ifindex: number;
  readonly direction: TcDirection;
  readonly programId: number;
  /** True when the device had no clsact qdisc before. */
  readonly madeQdisc: boolean;
}

const points: Readonly<Record<TcDirection, number>> = { ingress: 1, egress: 2 };
const bothPoints = points.ingress | points.egress;
const BPF_TC_F_REPLACE = 1;

function makeStruct(layout: StructLayout<'sz'>): Buffer {
  const bytes = Buffer.alloc(layout.size);
  bytes.writeBigUInt64LE(BigInt(layout.size), layout.at.sz);
  return bytes;
}

function makeHook(ifindex: number, point: number): Buffer {
  const hook = makeStruct(tcHook);
  hook.writeInt32LE(ifindex, tcHook.at.ifindex);
  hook.writeInt32LE(point, tcHook.at.attach_point);
  return hook;
}

function makeOpts(place: TcPlace): Buffer {
  const opts = makeStruct(tcOpts);
  opts.writeUInt32LE(place.handle, tcOpts.at.handle);
  opts.writeUInt32LE(place.priority, tcOpts.at.priority);
  return opts;
}

function describe(ifindex: number, direction: TcDirection, place: TcPlace): string {
  return `ifindex ${ifindex} ${direction}, priority ${place.priority}, handle ${place.handle}`;
}

/**
 * Attaches to a device in the calling thread's network namespace; makes the clsact qdisc when there is none. The filter
 * outlives the process.
 * @param options.replace takes over the filter of an earlier process at that place, with no frame in between
 * @throws ForeignProgramError when the place is taken
 */
export function attachTc(
  program: BpfProgram, ifindex: number, direction: TcDirection, place: TcPlace, options: { readonly replace?: boolean } = {},
): TcAttachment {
  const what = describe(ifindex, direction, place);
  const made = libbpf().bpf_tc_hook_create(makeHook(ifindex, bothPoints));
  if (made !== -E.EXIST) check('bpf_tc_hook_create', made, what);
  const opts = makeOpts(place);
  opts.writeInt32LE(program.fd, tcOpts.at.prog_fd);
  if (options.replace === true) opts.writeUInt32LE(BPF_TC_F_REPLACE, tcOpts.at.flags);
  const rc = libbpf().bpf_tc_attach(makeHook(ifindex, points[direction]), opts);
  if (rc < 0 && made === 0) libbpf().bpf_tc_hook_destroy(makeHook(ifindex, bothPoints));
  if (rc === -E.EXIST) throw new ForeignProgramError('bpf_tc_attach', E.EXIST, what, queryTc(ifindex, direction, place)?.programId ?? 0);
  check('bpf_tc_attach', rc, what);
  return { ...place, ifindex, direction, programId: opts.readUInt32LE(tcOpts.at.prog_id), madeQdisc: made === 0 };
}

/** The program at that place, or null: also when the device is gone. */
export function queryTc(ifindex: number, direction: TcDirection, place: TcPlace): { programId: number } | null {
  const opts = makeOpts(place);
  const rc = libbpf().bpf_tc_query(makeHook(ifindex, points[direction]), opts);
  // ENOENT: no filter there; EINVAL: no qdisc.
  if (rc === -E.NOENT || rc === -E.INVAL || rc === -E.NODEV) return null;
  check('bpf_tc_query', rc, describe(ifindex, direction, place));
  return { programId: opts.readUInt32LE(tcOpts.at.prog_id) };
}

/**
 * Removes the filter at that place; false when there is none.
 * @param options.removeQdisc also removes the clsact qdisc with everything on it: only for who made it
 */
export function detachTc(
  ifindex: number, direction: TcDirection, place: TcPlace, options: { readonly removeQdisc?: boolean } = {},
): boolean {
  const rc = libbpf().bpf_tc_detach(makeHook(ifindex, points[direction]), makeOpts(place));
  const present = rc !== -E.NOENT && rc !== -E.INVAL && rc !== -E.NODEV;
  if (present) check('bpf_tc_detach', rc, describe(ifindex, direction, place));
  if (options.removeQdisc === true) {
    const removed = libbpf().bpf_tc_hook_destroy(makeHook(ifindex, bothPoints));
    if (removed !== -E.NOENT && removed !== -E.INVAL && removed !== -E.NODEV) check('bpf_tc_hook_destroy', removed, `ifindex ${ifindex}`);
  }
  return present;
}
