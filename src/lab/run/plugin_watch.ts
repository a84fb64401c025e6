/** Watches the plug-in of one guest through its pinned map: memory reads only, so that watching costs the traffic nothing. */
import { type PluginState, pluginStateCodec } from '../../../maps/generated/contract.js';
import type { VnicPath } from '../../core/model.js';
import { pluginStatePin } from '../../guest/plugin.js';
import { RawMap } from '../../native/map.js';
import { nowNs } from '../traffic/clock.js';
import { PathFollower, type Transition } from './path_follower.js';

const POLL_MS = 10;
/** Where the first-frame times are, in 64-bit words from the start of the row. */
const FIRST_WORDS: Readonly<Record<VnicPath, readonly number[]>> = { software: [5, 7], accelerated: [11, 13] };

export class PluginWatch {
  readonly transitions: Transition[] = [];
  readonly #map: RawMap;
  readonly #row: Buffer;
  readonly #words: BigUint64Array;
  readonly #follower = new PathFollower();
  readonly #timer: NodeJS.Timeout;

  /** @param pins root of the guest agent's pins. @throws NativeError when the plug-in is not there */
  constructor(pins: string) {
    this.#map = RawMap.fromPin(pluginStatePin(pins));
    this.#row = this.#map.mmap();
    this.#words = new BigUint64Array(this.#row.buffer, this.#row.byteOffset, pluginStateCodec.size / 8);
    this.#reset('accelerated');
    this.#timer = setInterval(() => {
      const { transition, reset } = this.#follower.observe(this.read(), nowNs());
      if (reset !== null) this.#reset(reset);
      if (transition !== null) this.transitions.push(transition);
    }, POLL_MS);
  }

  /** The path that the guest transmits on. */
  get path(): VnicPath {
    return this.#follower.current;
  }

  read(): PluginState {
    return pluginStateCodec.read(this.#row);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#map.close();
  }

  #reset(path: VnicPath): void {
    for (const word of FIRST_WORDS[path]) Atomics.store(this.#words, word, 0n);
  }
}
