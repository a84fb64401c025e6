/** Asks a device which XDP program it runs. */
import { E } from './errno.js';
import { check } from './errors.js';
import { libbpf } from './libbpf.js';
import { xdpQueryOpts } from './structs.js';

export interface AttachedXdp {
  readonly programId: number;
  readonly mode: 'native' | 'generic' | 'offload';
}

/** enum xdp_attach_mode of the kernel's netlink answer, where more than one program may be attached (`MULTI`). */
const XDP_ATTACHED_SKB = 2;
const XDP_ATTACHED_HW = 3;

/**
 * The program of a device in the calling thread's network namespace, or null when it has none or there is no such device. A
 * native one is named before a generic one.
 */
export function queryXdp(ifindex: number): AttachedXdp | null {
  const at = xdpQueryOpts.at;
  const opts = Buffer.alloc(xdpQueryOpts.size);
  opts.writeBigUInt64LE(BigInt(xdpQueryOpts.size), at.sz);
  const rc = libbpf().bpf_xdp_query(ifindex, 0, opts);
  if (rc === -E.NODEV || rc === -E.RANGE) return null; // no such device: the libbpf versions differ in what they say
  check('bpf_xdp_query', rc, `ifindex ${ifindex}`);
  const mode = opts.readUInt8(at.attach_mode);
  const programId = (offset: number): number => opts.readUInt32LE(offset);
  const [native, generic, offload, only] = [at.drv_prog_id, at.skb_prog_id, at.hw_prog_id, at.prog_id].map(programId);
  if (native) return { programId: native, mode: 'native' };
  if (generic) return { programId: generic, mode: 'generic' };
  if (offload) return { programId: offload, mode: 'offload' };
  if (!only) return null;
  return { programId: only, mode: mode === XDP_ATTACHED_SKB ? 'generic' : mode === XDP_ATTACHED_HW ? 'offload' : 'native' };
}
