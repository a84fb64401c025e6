/** Offload settings of a device, and its RSS key, by `ethtool`. Names must have been checked. */
import { CommandError, run, runJson } from './exec.js';

export interface Offloads {
  /** Transmit checksums left to the device. */
  readonly tx: boolean;
  readonly gro: boolean;
}

interface FeatureJson {
  readonly active?: boolean;
}

/** @throws CommandError */
export async function readOffloads(device: string): Promise<Offloads> {
  const [features] = (await runJson('ethtool', ['--json', '-k', device])) as readonly Readonly<Record<string, FeatureJson>>[];
  return {
    tx: features?.['tx-checksumming']?.active === true,
    gro: features?.['generic-receive-offload']?.active === true,
  };
}

/** Switching tx off takes segmentation offloads with it; switching it on brings back those that were asked for. @throws CommandError */
export async function writeOffloads(device: string, offloads: Offloads): Promise<void> {
  await run('ethtool', ['-K', device, 'tx', offloads.tx ? 'on' : 'off', 'gro', offloads.gro ? 'on' : 'off']);
}

/** The key in what `ethtool -x` prints; null: it prints none. */
export function parseRssKeyText(text: string): Buffer | null {
  const [, key] = /^RSS hash key:\s*\n\s*([0-9a-fA-F]{2}(?::[0-9a-fA-F]{2})*)\s*$/m.exec(text) ?? [];
  return key === undefined ? null : Buffer.from(key.replaceAll(':', ''), 'hex');
}

/** The queue of each entry in the indirection table that `ethtool -x` prints; null: it prints none. */
export function parseRetaText(text: string): readonly number[] | null {
  const rows = [...text.matchAll(/^\s*\d+:((?:\s+\d+)+)\s*$/gm)].flatMap(([, queues]) => (queues ?? '').trim().split(/\s+/));
  return rows.length === 0 ? null : rows.map(Number);
}

/** What `ethtool -x` prints; null: the device has no RSS. @throws CommandError when the command cannot be run */
export async function readRssText(device: string): Promise<string | null> {
  try {
    return await run('ethtool', ['-x', device]);
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'failed') return null;
    throw error;
  }
}

/** Key of a NIC's RSS; null: it has none, or none that it shows. */
export async function readRssKeyByCommand(device: string): Promise<Buffer | null> {
  const text = await readRssText(device);
  return text === null ? null : parseRssKeyText(text);
}
