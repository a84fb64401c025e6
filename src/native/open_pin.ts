/** Opens a pin and makes sure of what it is: the kernel would answer a question about a map with a program's facts. */
import { readlinkSync } from 'node:fs';
import { Descriptor } from './descriptor.js';
import { E } from './errno.js';
import { check, NativeError } from './errors.js';
import { libbpf } from './libbpf.js';
import { objGetOpts } from './structs.js';

export type PinKind = 'map' | 'program' | 'link';

/** What /proc says a descriptor is. */
const anonymousNames: Readonly<Record<PinKind, RegExp>> = { map: /bpf[-_]map/, program: /bpf[-_]prog/, link: /bpf[-_]link/ };

export interface OpenOptions {
  /** Only of a map: the kernel refuses every change by this descriptor. */
  readonly readOnly?: boolean;
}

const BPF_F_RDONLY = 1 << 3;

/** @throws NativeError ENOENT when there is no such pin, EINVAL when it is of another kind */
export function openPin(path: string, kind: PinKind, { readOnly = false }: OpenOptions = {}): Descriptor {
  const opts = Buffer.alloc(objGetOpts.size);
  opts.writeBigUInt64LE(BigInt(objGetOpts.size), objGetOpts.at.sz);
  opts.writeUInt32LE(readOnly ? BPF_F_RDONLY : 0, objGetOpts.at.file_flags);
  const descriptor = new Descriptor(check('bpf_obj_get', libbpf().bpf_obj_get_opts(path, opts), path), `${kind} ${path}`);
  const actual = readlinkSync(`/proc/self/fd/${descriptor.fd}`);
  if (anonymousNames[kind].test(actual)) return descriptor;
  descriptor.close();
  throw new NativeError('bpf_obj_get', E.INVAL, path, `the pin is no ${kind} but ${actual}`);
}
