/**
 * A QEMU newer than that of most distributions, below build/: it emulates SR-IOV, and brings a NIC of model e1000e up four times as soon.
 * Plain JavaScript without dependencies, like the set-up it belongs to.
 */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { BACKPORTS, unpackNewer } from './newer_debian.mjs';

/** igb is in QEMU since 8.0, `sriov-pf` of virtio-net-pci since 10.1. @param {string} root of the project, and @param tools as unpackNewer() */
export function fetchEmulator(root, tools) {
  const folder = join(root, 'build/qemu');
  if (existsSync(folder)) return;
  const finish = (unpacked) => renameSync(unpacked, folder);
  unpackNewer({ name: 'qemu-system-x86', suite: BACKPORTS, withDependencies: true, why: 'for guests', finish }, root, tools);
}
