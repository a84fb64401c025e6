/** An XDP program on a device, as a bpf_link: it cannot be displaced by others, and it never displaces. */
import { Descriptor } from './descriptor.js';
import { E } from './errno.js';
import { check, ForeignProgramError } from './errors.js';
import { libbpf } from './libbpf.js';
import { LinkHandle } from './link_handle.js';
import { openPin } from './open_pin.js';
import type { BpfProgram } from './program.js';
import { AttachType } from './program_types.js';
import { linkCreateOpts, linkUpdateOpts } from './structs.js';
import { queryXdp } from './xdp_query.js';

/** In the driver, or on skbs after it. The kernel never chooses by itself here: the caller knows what it got. */
export type XdpAttachMode = 'native' | 'generic';

const modeFlags: Readonly<Record<XdpAttachMode, number>> = {
  generic: 1 << 1, // XDP_FLAGS_SKB_MODE
  native: 1 << 2, // XDP_FLAGS_DRV_MODE
};
const BPF_F_REPLACE = 1 << 2;

export class XdpLink extends LinkHandle {
  /**
   * Attaches to a device in the calling thread's network namespace.
   * @throws ForeignProgramError when the device has a program already
   * @throws NativeError EOPNOTSUPP when the driver has no native XDP, EINVAL when there is no such device
   */
  static attach(program: BpfProgram, ifindex: number, mode: XdpAttachMode): XdpLink {
    const opts = Buffer.alloc(linkCreateOpts.size);
    opts.writeBigUInt64LE(BigInt(linkCreateOpts.size), linkCreateOpts.at.sz);
    opts.writeUInt32LE(modeFlags[mode], linkCreateOpts.at.flags);
    const rc = libbpf().bpf_link_create(program.fd, ifindex, AttachType.XDP, opts);
    const what = `ifindex ${ifindex}, ${mode} XDP`;
    // EBUSY: a program in this mode; EEXIST: one in the other mode.
    if (rc === -E.BUSY || rc === -E.EXIST) throw new ForeignProgramError('bpf_link_create', -rc, what, attachedProgramId(ifindex));
    const name = `XDP link of ifindex ${ifindex}`;
    return new XdpLink(new Descriptor(check('bpf_link_create', rc, what), name), name);
  }

  /** @throws NativeError ENOENT when there is no such pin */
  static fromPin(path: string): XdpLink {
    return new XdpLink(openPin(path, 'link'), `XDP link ${path}`);
  }

  /**
   * Puts `program` in place of the present one: no frame sees neither. With `expectedOld`, only if that one is there now.
   * @throws NativeError EPERM when another is, ENOLINK when the device is gone
   */
  replace(program: BpfProgram, expectedOld?: BpfProgram): void {
    const opts = Buffer.alloc(linkUpdateOpts.size);
    opts.writeBigUInt64LE(BigInt(linkUpdateOpts.size), linkUpdateOpts.at.sz);
    if (expectedOld !== undefined) {
      opts.writeUInt32LE(BPF_F_REPLACE, linkUpdateOpts.at.flags);
      opts.writeUInt32LE(expectedOld.fd, linkUpdateOpts.at.old_prog_fd);
    }
    check('bpf_link_update', libbpf().bpf_link_update(this.fd, program.fd, opts), this.what);
  }

  /** Takes the program off the device at once, whoever else has the link open or pinned. Harmless when the device is gone. */
  detach(): void {
    check('bpf_link_detach', libbpf().bpf_link_detach(this.fd), this.what);
  }
}

function attachedProgramId(ifindex: number): number {
  try {
    return queryXdp(ifindex)?.programId ?? 0;
  } catch {
    return 0; // only a detail of the message is missing then
  }
}
