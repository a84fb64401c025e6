/** A BTF tracepoint program (`tp_btf/...`) on its tracepoint. */
import { Descriptor } from './descriptor.js';
import { check } from './errors.js';
import { libbpf } from './libbpf.js';
import { LinkHandle } from './link_handle.js';
import { openPin } from './open_pin.js';
import type { BpfProgram } from './program.js';

export class TracingLink extends LinkHandle {
  static attach(program: BpfProgram): TracingLink {
    // The program itself names its tracepoint, so the name here is NULL.
    const rc = libbpf().bpf_raw_tracepoint_open(null, program.fd);
    const name = `tracing link of ${program.name}`;
    return new TracingLink(new Descriptor(check('bpf_raw_tracepoint_open', rc, program.name), name), name);
  }

  /** @throws NativeError ENOENT when there is no such pin */
  static fromPin(path: string): TracingLink {
    return new TracingLink(openPin(path, 'link'), `tracing link ${path}`);
  }
}

export function attachTracing(program: BpfProgram): TracingLink {
  return TracingLink.attach(program);
}
