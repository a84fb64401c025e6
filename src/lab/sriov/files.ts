/** Where the things of the machine with emulated adapters are: made below build/, which is nobody else's. */
import { join } from 'node:path';
import { packageRoot } from '../../paths.js';

const made = join(packageRoot, 'build', 'sriov');
const sources = join(packageRoot, 'src', 'lab', 'sriov');

export const hostFiles = {
  /** Kernel packages, each unpacked in a folder named as its release. */
  kernels: join(made, 'kernels'),
  image: (release: string): string => join(made, `host-${release}.cpio`),
  /** Says what the image was made of. */
  imageStamp: (release: string): string => join(made, `host-${release}.stamp`),
  init: join(sources, 'init.sh'),
} as const;
