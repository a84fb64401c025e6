/**
 * How a data plane comes to be, from what is pinned:
 *   nothing, or half of it       -> load, fill, pin; `metas` last, so that half of it is recognised
 *   all, of the same programs    -> adopt: nothing changes
 *   all, of other programs       -> upgrade: load onto the same maps, then swap the programs in every link
 * Whatever it was, afterwards everything is pinned, and the handles given out come from the pins.
 */
import type { RawMap } from '../native/map.js';
import { ensureBpffs, type Pins } from '../native/pins.js';
import { fillCpus } from './cpus.js';
import { identify, type ProgramSettings } from './identity.js';
import { type LoadedObject, loadObject, MAP_NAMES, type MapName, PINNED_PROGRAMS } from './loader.js';
import { readIdentity, writeIdentity } from './meta_row.js';
import { attachObservers } from './observers.js';
import { openPinned, type PinnedHandles, refuseStrangers } from './pinned_handles.js';
import { reusablePins, upgrade } from './upgrade.js';

export interface Started extends PinnedHandles {
  readonly how: 'fresh' | 'adopted' | 'upgraded';
}

type Warn = (message: string) => void;
/** Fills new maps before anything is pinned. */
type Prepare = (map: (name: MapName) => RawMap) => void;

/**
 * @param prepare for a fresh start
 * @param warn told what is missing when the kernel refuses a tracing program
 * @throws NotOnBpffsError, ContractMismatchError, PinnedStateError, VerifierError, NativeError
 */
export async function startFromPins(
  pins: Pins, objectPath: string, boundPath: string | null, settings: ProgramSettings, prepare: Prepare, warn: Warn,
): Promise<Started> {
  ensureBpffs(pins.root);
  const identity = identify(objectPath, boundPath, settings);
  refuseStrangers(pins);
  const pinnedIdentity = readIdentity(pins);
  if (pinnedIdentity === null) {
    pins.removeAll();
    startFresh(pins, await loadObject(objectPath, settings, {}, warn), identity, prepare, warn);
    return { ...openPinned(pins), how: 'fresh' };
  }
  if (pinnedIdentity.equals(identity)) return { ...openPinned(pins), how: 'adopted' };
  upgrade(pins, await loadObject(objectPath, settings, reusablePins(pins, settings), warn), identity, warn);
  return { ...openPinned(pins), how: 'upgraded' };
}

function startFresh(pins: Pins, loaded: LoadedObject, identity: Buffer, prepare: Prepare, warn: Warn): void {
  const { object } = loaded;
  try {
    prepare((name) => object.map(name));
    fillCpus(object.map('cpus'), object.program('steer_queue'));
    pins.create();
    for (const name of MAP_NAMES) object.map(name).pin(pins.map(name));
    for (const name of PINNED_PROGRAMS) object.program(name).pin(pins.program(name));
    attachObservers(pins, loaded, warn);
    writeIdentity(object.map('metas'), object.map('cpus'), identity);
  } catch (error) {
    pins.removeAll();
    throw error;
  } finally {
    object.close();
  }
}
