/** Taps for guests: made by `ip`, so that they are there before QEMU and stay when it ends. */
import { run } from '../../host/exec.js';
import { checkInterfaceName, checkNetnsName } from '../../host/names.js';

/** Frames that a tap holds while QEMU is not let run; the default of 1000 is soon full when a CPU is emulated. */
const TAP_QUEUE_FRAMES = 20_000;

export interface GuestTapOptions {
  /** As many as QEMU is told (GuestNic.queues): the kernel refuses one that was made otherwise. Default 1. */
  readonly queues?: number;
}

/** A persistent tap that is up, in a network namespace. */
export async function createTap(netns: string, name: string, { queues = 1 }: GuestTapOptions = {}): Promise<void> {
  const ip = ['-n', checkNetnsName(netns)];
  const kind = queues > 1 ? ['multi_queue', 'vnet_hdr'] : ['vnet_hdr'];
  await run('ip', [...ip, 'tuntap', 'add', 'dev', checkInterfaceName(name), 'mode', 'tap', ...kind]);
  await run('ip', [...ip, 'link', 'set', 'dev', name, 'txqueuelen', String(TAP_QUEUE_FRAMES), 'up']);
}

export async function deleteTap(netns: string, name: string): Promise<void> {
  await run('ip', ['-n', checkNetnsName(netns), 'link', 'delete', 'dev', checkInterfaceName(name)]);
}
