/** The addresses that a device hears as its own besides its first (`bridge fdb ... self`). Names must have been checked. */
import { CommandError, run, runJson } from './exec.js';

interface FdbJson {
  readonly mac?: string;
  readonly flags?: readonly string[];
}

/** Those of what `bridge -j fdb show dev` prints. */
export function ownAddressesIn(rows: readonly FdbJson[]): Set<string> {
  return new Set(rows.flatMap(({ mac, flags }) => (mac !== undefined && flags?.includes('self') === true ? [mac] : [])));
}

/** @throws CommandError */
export async function ownAddresses(device: string): Promise<Set<string>> {
  return ownAddressesIn((await runJson('bridge', ['-j', 'fdb', 'show', 'dev', device])) as readonly FdbJson[]);
}

/** Idempotent. @throws CommandError, when the device has no room for more, too */
export async function addOwnAddress(device: string, mac: string): Promise<void> {
  await run('bridge', ['fdb', 'replace', mac, 'dev', device, 'self', 'permanent']);
}

/** Idempotent. @throws CommandError */
export async function deleteOwnAddress(device: string, mac: string): Promise<void> {
  try {
    await run('bridge', ['fdb', 'del', mac, 'dev', device, 'self']);
  } catch (error) {
    if (!(error instanceof CommandError) || !/No such file or directory/.test(error.stderr)) throw error;
  }
}
