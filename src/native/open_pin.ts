/** Opens a pin and makes sure of what it is: the kernel would answer a question about a map with a program's facts. */
import { readlinkSync } from 'node:fs';
import { Descriptor } from './descriptor.js';
import { E } from './errno.js';
import { check, NativeError } from './errors.js';
import { libbpf } from './libbpf.js';

export type PinKind = 'map' | 'program' | 'link';

/** What /proc says a descriptor is. */
const anonymousNames: Readonly<Record<PinKind, RegExp>> = { map: /bpf[-_]map/, program: /bpf[-_]prog/, link: /bpf[-_]link/ };

/** @throws NativeError ENOENT when there is no such pin, EINVAL when it is of another kind */
export function openPin(path: string, kind: PinKind): Descriptor {
  const descriptor = new Descriptor(check('bpf_obj_get', libbpf().bpf_obj_get(path), path), `${kind} ${path}`);
  const actual = readlinkSync(`/proc/self/fd/${descriptor.fd}`);
  if (anonymousNames[kind].test(actual)) return descriptor;
  descriptor.close();
  throw new NativeError('bpf_obj_get', E.INVAL, path, `the pin is no ${kind} but ${actual}`);
}
