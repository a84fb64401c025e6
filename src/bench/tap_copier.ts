/**
 * Stands for QEMU in section tcp: copies frames between a host's tap and one in the guest, both ways, until its stdin ends.
 *
 *   tap_copier.js HOST-NETNS TAP GUEST-NETNS TAP [vnet]
 *
 * With `vnet`, frames have virtio's header before them and may be aggregated, as QEMU and vhost hand them on. Prints a line when the taps
 * are there.
 */
import { setImmediate } from 'node:timers/promises';
import { FrameCopier } from '../lab/frame_copier.js';
import { isNativeError } from '../native/errors.js';
import { pollReadableSync, readNonBlocking, writeNonBlocking } from '../native/io.js';
import { openTap } from '../native/tap.js';

/** A blocked or idle copier looks again after this. */
const WAIT_MS = 1;
/** Turns between two looks at stdin. */
const TURNS = 64;

const [hostNetns, hostTap, guestNetns, guestTap, header] = process.argv.slice(2);
const vnetHeader = header === 'vnet';
const open = (netns = '', tap = ''): number => openTap(tap, { multiQueue: false, vnetHeader, aggregates: vnetHeader, netns: `/run/netns/${netns}` });
const io = { read: readNonBlocking, write: writeNonBlocking, isDown: (error: unknown) => isNativeError(error, 'EIO') };

const copier = new FrameCopier(io, [open(guestNetns, guestTap)]);
copier.attach(hostNetns ?? '', hostTap ?? '', [open(hostNetns, hostTap)]);
process.stdin.on('end', () => process.exit(0)).resume();
process.stdout.write('ready\n');
for (;;) {
  for (let turn = 0; turn < TURNS; turn++) if (copier.pump() === 0) pollReadableSync(copier.fds, WAIT_MS);
  await setImmediate();
}
