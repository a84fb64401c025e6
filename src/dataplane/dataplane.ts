/** Opens the data plane of this host. */
import { ContractLimit, rssCodec } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import type { RawMap } from '../native/map.js';
import { Pins } from '../native/pins.js';
import type { XdpModeChoice } from './attachments.js';
import { fillCpus } from './cpus.js';
import { ownNetns } from './identity.js';
import { KernelDataPlane } from './kernel_data_plane.js';
import type { MapName } from './loader.js';
import { startFromPins } from './start.js';
import type { DataPlane } from './port.js';
import { randomRssKey, rssRow } from './rss_table.js';

const { MAX_VNICS, CONTRACT_VERSION, RSS_KEY_SIZE } = ContractLimit;
const ONLY_ROW = encode(u32, 0);

export interface DataPlaneOptions {
  /** bpf/unipath.bpf.o */
  readonly objectPath: string;
  /** Folder on a bpffs; the contract version is appended. */
  readonly pinsRoot: string;
  /** Learnt flows per vNIC, a power of two. */
  readonly flowsPerVnic: number;
  /** 40 bytes; `random` draws one at the first start and keeps it. */
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
  const { flowsPerVnic, maxVnics = MAX_VNICS, rssKey, warn = (message: string) => console.error(message) } = options;
  checkOptions(flowsPerVnic, maxVnics, rssKey);
  const pins = new Pins(options.pinsRoot, CONTRACT_VERSION);
  const settings = { flowsPerVnic, maxVnics, netns: ownNetns() };
  const prepare = (map: (name: MapName) => RawMap) => writeRss(map('rss'), rssKey === 'random' ? randomRssKey() : rssKey);
  const started = await startFromPins(pins, options.objectPath, settings, prepare, warn);
  if (started.how !== 'fresh') {
    fillCpus(started.maps.cpus, started.programs.steer_queue); // for new programs, and for CPUs that came since
    // While it is written, a few flows may take another queue; none takes another guest.
    if (rssKey !== 'random' && !rssKey.equals(storedRssKey(started.maps.rss))) writeRss(started.maps.rss, rssKey);
  }
  return new KernelDataPlane(pins, started, options.xdpMode, settings);
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

function writeRss(rss: RawMap, key: Buffer): void {
  rss.set(ONLY_ROW, encode(rssCodec, rssRow(key)));
}

function storedRssKey(rss: RawMap): Uint8Array {
  const row = rss.get(ONLY_ROW);
  return row === null ? new Uint8Array() : rssCodec.read(row).key;
}
