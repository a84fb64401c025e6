/**
 * The guest g1, booted outside and kept as a file: in an emulated machine a second emulation takes minutes for what takes seconds here. QEMU there
 * reads the file as it would a guest that is migrated to it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { QmpClient } from '../../src/hypervisor/qemu/qmp_client.js';
import type { MachineOptions } from '../../src/lab/qemu/arguments.js';
import { guestCommandLine } from '../../src/lab/qemu/command_line.js';
import { QemuGuest } from '../../src/lab/qemu/guest.js';
import { createNetns, ip } from '../support/netns.js';

export const MAC = '52:54:00:00:00:a0';
export const GUEST = '10.0.0.10';

/** The machine that it is in, wherever that runs. */
export function guestMachine(tap: string, incoming?: string): MachineOptions {
  return {
    name: 'g1',
    nics: [{ id: 'net0', tap, mac: MAC, failover: true, vnetHdr: false }],
    hotplugPorts: 1,
    memoryMiB: 192,
    accel: 'tcg',
    commandLine: guestCommandLine({ ip: `${GUEST}/24` }),
    ...(incoming === undefined ? {} : { incoming }),
  };
}

/** @returns where QEMU is told to read it from; the file goes when the test ends */
export async function bootedGuest(t: ExecutionContext): Promise<string> {
  const netns = createNetns(t);
  ip(netns, 'tuntap add tap-g1 mode tap');
  ip(netns, 'link set tap-g1 up');
  const folder = mkdtempSync(join(tmpdir(), 'unipath-booted-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const uri = `file:${join(folder, 'state')}`;
  const guest = await QemuGuest.start({ ...guestMachine('tap-g1'), netns, folder: join(folder, 'qemu') });
  try {
    await guest.waitForShell();
    // The machine it wakes up in is slow: nothing is to be left to do.
    await guest.run('until [ "$(cat /sys/class/net/eth0/operstate)" = up ]; do sleep 0.1; done; sync');
    const qmp = await QmpClient.connect(guest.labQmpSocket);
    await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 10_000_000_000 });
    await qmp.execute('migrate', { uri });
    for (;;) {
      const { status, 'error-desc': why } = (await qmp.execute('query-migrate')) as { readonly status?: string; readonly 'error-desc'?: string };
      if (status === 'completed') break;
      if (status === 'failed' || status === 'cancelled') throw new Error(`the guest could not be kept as ${uri}: ${why ?? status}`);
      await sleep(50);
    }
    qmp.close();
    return uri;
  } finally {
    await guest.stop();
  }
}
