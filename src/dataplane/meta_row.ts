/** The row of map `metas`: which programs made what is pinned. It is written last, so without it a start did not come to its end. */
import { ContractLimit, metaCodec } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import { isNativeError } from '../native/errors.js';
import { RawMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';

const ONLY_ROW = encode(u32, 0);
/** Is no program's: whatever starts next loads its own. */
export const NO_IDENTITY = Buffer.alloc(32);

/** Null when the start that made these pins did not come to its end, or when there are none. */
export function readIdentity(pins: Pins): Buffer | null {
  try {
    const metas = RawMap.fromPin(pins.map('metas'));
    try {
      const meta = metaCodec.read(metas.get(ONLY_ROW) ?? Buffer.alloc(metaCodec.size));
      return meta.contractVersion === ContractLimit.CONTRACT_VERSION ? Buffer.from(meta.objectSha256) : null;
    } finally {
      metas.close();
    }
  } catch (error) {
    if (isNativeError(error, 'ENOENT')) return null;
    throw error;
  }
}

export function writeIdentity(metas: RawMap, cpus: RawMap, identity: Buffer): void {
  const meta = { contractVersion: ContractLimit.CONTRACT_VERSION, cpusMapId: cpus.id, objectSha256: identity, capturing: 0 };
  metas.set(ONLY_ROW, encode(metaCodec, meta));
}
