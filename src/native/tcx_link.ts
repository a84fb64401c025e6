/** A program at a device's egress, as a bpf_link (tcx, Linux 6.6): no qdisc is made for it, so no frame is lost when it comes or goes. */
import { Descriptor } from './descriptor.js';
import { check } from './errors.js';
import { libbpf } from './libbpf.js';
import { LinkHandle } from './link_handle.js';
import { openPin } from './open_pin.js';
import type { BpfProgram } from './program.js';
import { AttachType } from './program_types.js';
import { linkCreateOpts, linkUpdateOpts } from './structs.js';

export class TcxLink extends LinkHandle {
  /** @throws NativeError EINVAL when the kernel has no tcx, or there is no such device */
  static attachEgress(program: BpfProgram, ifindex: number): TcxLink {
    const opts = Buffer.alloc(linkCreateOpts.size);
    opts.writeBigUInt64LE(BigInt(linkCreateOpts.size), linkCreateOpts.at.sz);
    const name = `egress link of ifindex ${ifindex}`;
    const fd = check('bpf_link_create', libbpf().bpf_link_create(program.fd, ifindex, AttachType.TCX_EGRESS, opts), name);
    return new TcxLink(new Descriptor(fd, name), name);
  }

  /** @throws NativeError ENOENT when there is no such pin */
  static fromPin(path: string): TcxLink {
    return new TcxLink(openPin(path, 'link'), `egress link ${path}`);
  }

  /** Puts `program` in place of the present one: no frame sees neither. @throws NativeError ENOLINK when the device is gone */
  replace(program: BpfProgram): void {
    const opts = Buffer.alloc(linkUpdateOpts.size);
    opts.writeBigUInt64LE(BigInt(linkUpdateOpts.size), linkUpdateOpts.at.sz);
    check('bpf_link_update', libbpf().bpf_link_update(this.fd, program.fd, opts), this.what);
  }
}
