/** The guest's tc programs in the kernel: loaded, attached, taken off. Filters outlive this process; the next one takes them over. */
import { ContractLimit, pluginFingerprint, pluginMaps, type PluginState, pluginStateCodec } from '../../maps/generated/contract.js';
import { verifyContract } from '../btf/verify.js';
import { isNativeError } from '../native/errors.js';
import { RawMap } from '../native/map.js';
import { BpfObject } from '../native/object.js';
import { Pins } from '../native/pins.js';
import { attachTc, detachTc, queryTc, type TcDirection } from '../native/tc.js';
import { pluginObjectPath } from '../paths.js';
import { PluginStateRow } from './plugin_state.js';

/** Where our filters are on a device; the handle, "unip", makes them known as ours. */
export const FILTER_PLACE = { priority: 100, handle: 0x756e6970 };
const STATES = pluginMaps.plugin_states.name;

/** Where the map of a guest is pinned below `root`, for who wants to read it. */
export function pluginStatePin(root: string): string {
  return new Pins(root, ContractLimit.CONTRACT_VERSION).map(STATES);
}

/** What the plug-in of a guest does now, whoever runs it. @throws NativeError when it is not pinned below `root` */
export function readPluginState(root: string): PluginState {
  const map = RawMap.fromPin(pluginStatePin(root));
  try {
    return pluginStateCodec.read(map.get(Buffer.alloc(map.keySize)) ?? Buffer.alloc(pluginStateCodec.size));
  } finally {
    map.close();
  }
}

async function load(pin: string): Promise<BpfObject> {
  const object = BpfObject.open(pluginObjectPath, { pins: { [STATES]: pin } });
  try {
    verifyContract(object.btf(), pluginFingerprint, pluginObjectPath);
    await object.load();
    return object;
  } catch (error) {
    object.close();
    throw error;
  }
}

export class GuestPlugin {
  readonly state: PluginStateRow;
  readonly #object: BpfObject;
  readonly #pins: Pins;
  /** Devices on which we made the clsact qdisc. */
  readonly #ownQdiscs = new Set<number>();

  private constructor(object: BpfObject, pins: Pins) {
    this.#object = object;
    this.#pins = pins;
    this.state = new PluginStateRow(object.map(STATES).mmap());
  }

  /**
   * Loads the programs on the map pinned below `root`: that of an earlier agent, so that its filters and ours agree, or a new one.
   * @throws NotOnBpffsError, VerifierError, NativeError, ContractMismatchError
   */
  static async load(root: string): Promise<GuestPlugin> {
    const pins = new Pins(root, ContractLimit.CONTRACT_VERSION);
    pins.create();
    const pin = pins.map(STATES);
    try {
      return new GuestPlugin(await load(pin), pins);
    } catch (error) {
      // A map of other sizes is of no use to anyone of this contract version.
      if (!isNativeError(error, 'EINVAL') || !pins.remove(pin)) throw error;
      return new GuestPlugin(await load(pin), pins);
    }
  }

  attachInterface(ifindex: number): void {
    this.#attach('plugin_ingress', ifindex, 'ingress');
    this.#attach('plugin_egress', ifindex, 'egress');
  }

  attachVf(ifindex: number): void {
    this.#attach('plugin_vf_ingress', ifindex, 'ingress');
  }

  /** Is our program on this VF? A device that went to the host and back has lost it. */
  isOnVf(ifindex: number): boolean {
    return queryTc(ifindex, 'ingress', FILTER_PLACE)?.programId === this.#object.program('plugin_vf_ingress').id;
  }

  /** Harmless when the device is gone. */
  detach(ifindex: number): void {
    detachTc(ifindex, 'egress', FILTER_PLACE);
    detachTc(ifindex, 'ingress', FILTER_PLACE, { removeQdisc: this.#ownQdiscs.delete(ifindex) });
  }

  /** Lets go of everything; filters must have been detached. */
  remove(): void {
    this.#object.close();
    this.#pins.removeAll();
  }

  #attach(name: string, ifindex: number, direction: TcDirection): void {
    const { madeQdisc } = attachTc(this.#object.program(name), ifindex, direction, FILTER_PLACE, { replace: true });
    if (madeQdisc) this.#ownQdiscs.add(ifindex);
  }
}
