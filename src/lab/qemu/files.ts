/** Where the files are that guests are made of: the set-up makes some, the first guest makes the others. */
import { join } from 'node:path';
import { packageRoot } from '../../paths.js';

const made = join(packageRoot, 'build', 'guest');
const sources = join(packageRoot, 'src', 'lab', 'qemu');

export const guestFiles = {
  /** QEMU with all that it needs, unpacked by the set-up where it can be had. */
  emulator: join(packageRoot, 'build', 'qemu'),
  /** The kernel package, unpacked by the set-up. */
  kernel: join(made, 'kernel'),
  unpackedKernel: (release: string): string => join(made, `vmlinux-${release}`),
  image: (kind: string): string => join(made, `${kind}.cpio`),
  /** Says what the image of this kind was made of. */
  imageStamp: (kind: string): string => join(made, `${kind}.stamp`),
  reflector: join(made, 'reflector'),
  reflectorSources: ['reflector.c', 'account.h', 'counter_stream.h', 'datagram.h'].map((name) => join(sources, name)),
  init: join(sources, 'init.sh'),
} as const;
