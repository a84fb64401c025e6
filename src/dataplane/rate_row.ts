/** Rows of map `vnic_rates`: Mbit/s to what the packet programs count with, and back. */
import type { VnicRate } from '../../maps/generated/contract.js';

/** 1 Mbit/s is a byte in 8 microseconds. */
const PS_PER_BYTE_AT_1_MBIT = 8_000_000;
const BURST_NS = 10_000_000n;
/** Two frames of the largest size, which a guest with TSO sends as one. */
const BURST_BYTES = 131_072;

export const NO_RATE: VnicRate = { freeAtNs: 0n, burstNs: 0n, psPerByte: 0 };

/** @param rate Mbit/s; null: no limit. A burst of 10 ms, or of 128 KiB where that takes longer, goes at once. */
export function toVnicRate(rate: number | null): VnicRate {
  if (rate === null) return NO_RATE;
  const psPerByte = Math.round(PS_PER_BYTE_AT_1_MBIT / rate);
  const largest = (BigInt(psPerByte) * BigInt(BURST_BYTES)) / 1000n;
  return { freeAtNs: 0n, burstNs: largest > BURST_NS ? largest : BURST_NS, psPerByte };
}

/** In Mbit/s; null: no limit. */
export function fromVnicRate({ psPerByte }: VnicRate): number | null {
  return psPerByte === 0 ? null : Math.round(PS_PER_BYTE_AT_1_MBIT / psPerByte);
}
