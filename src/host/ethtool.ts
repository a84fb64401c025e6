/** Offload settings of a device, by `ethtool`. Names must have been checked. */
import { run, runJson } from './exec.js';

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
