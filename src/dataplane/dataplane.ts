/** Opens the data plane of this host. */
import { ContractLimit, rssCodec, rssWishCodec } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import type { RawMap } from '../native/map.js';
import { Pins } from '../native/pins.js';
import type { XdpModeChoice } from './attachments.js';
import { loadBound } from './bound_program.js';
import { fillCpus } from './cpus.js';
import { ownNetns } from './identity.js';
import { KernelDataPlane } from './kernel_data_plane.js';
import type { MapName } from './loader.js';
import { startFromPins } from './start.js';
import type { DataPlane } from './port.js';
import { randomRssKey, rssRow } from './rss_table.js';
import { toHostWishRow } from './rss_wish_row.js';

const { MAX_VNICS, CONTRACT_VERSION, RSS_KEY_SIZE } = ContractLimit;
const FIRST_ROW = encode(u32, 0);

export interface DataPlaneOptions {
  /** bpf/unipath.bpf.o */
  readonly objectPath: string;
  /** bpf/uplink_hw.bpf.o; absent: no NIC is asked for its hash. */
  readonly boundObjectPath?: string;
  /** Folder on a bpffs; the contract version is appended. */
  readonly pinsRoot: string;
  /** Learnt flows per vNIC, a power of two. */
  readonly flowsPerVnic: number;
  /** The key to begin with, 40 bytes; `random` draws one. Afterwards what is pinned holds, see src/core/rss_plan.ts. */
  readonly rssKey: 'random' | Buffer;
  readonly xdpMode: XdpModeChoice;
  /** vNIC ids are below this; default MAX_VNICS. */
  readonly maxVnics?: number;
  /** Told of what works less well than it should; default: standard error. */
  readonly warn?: (message: string) => void;
}

/**
 * Loads the programs, or takes over those that are pinned; see start.ts. Attaches nothing.
 * @throws ContractMismatchError when the object is not of this contract
 * @throws NotOnBpffsError, PinnedStateError when the pins cannot be used
 * @throws VerifierError, NativeError when the kernel refuses
 */
export async function openDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { flowsPerVnic, maxVnics = MAX_VNICS, rssKey, boundObjectPath: boundPath = null, warn = (message: string) => console.error(message) } = options;
  checkOptions(flowsPerVnic, maxVnics, rssKey);
  const pins = new Pins(options.pinsRoot, CONTRACT_VERSION);
  const settings = { flowsPerVnic, maxVnics, netns: ownNetns() };
  const prepare = (map: (name: MapName) => RawMap) => {
    map('rss').set(FIRST_ROW, encode(rssCodec, rssRow(rssKey === 'random' ? randomRssKey() : rssKey)));
    const wish = { hashTypes: null, weights: null, keyRow: 0, keyByOperator: false, keyIsRandom: rssKey === 'random' };
    map('rss_wishes').set(FIRST_ROW, encode(rssWishCodec, toHostWishRow(wish)));
  };
  const started = await startFromPins(pins, options.objectPath, boundPath, settings, prepare, warn);
  // For new programs, and for CPUs that came since.
  if (started.how !== 'fresh') fillCpus(started.maps.cpus, started.programs.steer_queue);
  const bind = boundPath === null ? null : (ifindex: number) => loadBound(pins, boundPath, settings, ifindex);
  return new KernelDataPlane(pins, started, options.xdpMode, settings, { bind, warn });
}

function checkOptions(flowsPerVnic: number, maxVnics: number, rssKey: 'random' | Buffer): void {
  if (!Number.isInteger(flowsPerVnic) || flowsPerVnic < 1 || (flowsPerVnic & (flowsPerVnic - 1)) !== 0) {
    throw new RangeError(`flows per vNIC must be a power of two, not ${flowsPerVnic}`);
  }
  if (!Number.isInteger(maxVnics) || maxVnics < 2 || maxVnics > MAX_VNICS) {
    throw new RangeError(`the number of vNIC ids must be in 2..${MAX_VNICS}, not ${maxVnics}`);
  }
  if (rssKey !== 'random' && rssKey.length !== RSS_KEY_SIZE) {
    throw new RangeError(`an RSS key has ${RSS_KEY_SIZE} bytes, not ${rssKey.length}`);
  }
}
