/** What all links have in common: an attachment that lasts as long as a descriptor or a pin of it. */
import type { Descriptor } from './descriptor.js';
import { check } from './errors.js';
import { getLinkInfo, type LinkInfo } from './info.js';
import { libbpf } from './libbpf.js';

export class LinkHandle {
  readonly #descriptor: Descriptor;
  protected readonly what: string;

  /** Takes over the descriptor. */
  protected constructor(descriptor: Descriptor, what: string) {
    this.#descriptor = descriptor;
    this.what = what;
  }

  get fd(): number {
    return this.#descriptor.fd;
  }

  info(): LinkInfo {
    return getLinkInfo(this.fd, this.what);
  }

  /** The attachment then outlives the process. @throws NativeError EEXIST when the path is taken */
  pin(path: string): void {
    check('bpf_obj_pin', libbpf().bpf_obj_pin(this.fd, path), path);
  }

  /** Lets go of the descriptor. Detaches unless the link is pinned; unlinking the pin detaches then. */
  close(): void {
    this.#descriptor.close();
  }
}
