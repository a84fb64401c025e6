/** Tap devices. */
import { check } from './errors.js';
import { libc } from './libc.js';
import { inNetns } from './netns.js';
import { ifreq } from './structs.js';

const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const tunDevice = '/dev/net/tun';

// linux/if_tun.h
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOFFLOAD = 0x400454d0;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6. */
const aggregated = 0x01 | 0x02 | 0x04;

const longestName = 15;

export interface TapOptions {
  /** One descriptor per queue: open the same name once for each. */
  readonly multiQueue: boolean;
  /** Every frame has a struct virtio_net_hdr of ten bytes before it, as QEMU asks for: what the guest leaves to its device. */
  readonly vnetHeader?: boolean;
  /** With vnetHeader: the reader takes aggregated frames (TSO) and unfinished checksums, as virtio-net does. Default false. */
  readonly aggregates?: boolean;
  /** Where the device is, or will be: e.g. `/run/netns/NAME`. Default: where the caller is. */
  readonly netns?: string;
}

/**
 * Opens a queue of a tap device, and makes the device if there is none. Frames begin with the destination MAC address. The
 * device goes with its last descriptor, unless setPersist().
 * @returns a non-blocking descriptor, for readNonBlocking() and writeNonBlocking()
 * @throws NativeError EBUSY when the device is in use, EINVAL when it has another number of queues
 */
export function openTap(name: string, options: TapOptions): number {
  if (name.length === 0 || Buffer.byteLength(name) > longestName) throw new RangeError(`"${name}" is no interface name`);
  // The device appears in the namespace in which /dev/net/tun was opened.
  return options.netns === undefined ? open(name, options) : inNetns(options.netns, () => open(name, options));
}

function open(name: string, { multiQueue, vnetHeader = false, aggregates = false }: TapOptions): number {
  const fd = check('open', libc().open(tunDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0), tunDevice);
  const request = Buffer.alloc(ifreq.size);
  request.write(name, ifreq.at.ifr_name);
  const flags = IFF_TAP | IFF_NO_PI | (multiQueue ? IFF_MULTI_QUEUE : 0) | (vnetHeader ? IFF_VNET_HDR : 0);
  request.writeUInt16LE(flags, ifreq.at.ifr_flags);
  try {
    check('TUNSETIFF', libc().ioctl(fd, TUNSETIFF, request), name);
    if (aggregates) check('TUNSETOFFLOAD', libc().ioctl(fd, TUNSETOFFLOAD, aggregated), name);
    return fd;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

/** Whether the device outlives its descriptors. */
export function setPersist(fd: number, on: boolean): void {
  check('TUNSETPERSIST', libc().ioctl(fd, TUNSETPERSIST, on ? 1 : 0), `fd ${fd}`);
}
