/** A test with real guests on a bed that is made for it and taken away after it, whatever happens. */
import type { ExecutionContext } from 'ava';
import { whyNoGuests } from '../../src/lab/qemu/available.js';
import { needs, testWith } from '../support/require.js';
import { Bed, type BedHostOptions } from './bed.js';

const declare = testWith(whyNoGuests(), needs.bpffs());

/** Emulated CPUs on a busy machine. */
const TIMEOUT_MS = 240_000;

export function guestsTest(title: string, hosts: readonly BedHostOptions[], body: (t: ExecutionContext, bed: Bed) => Promise<void>, mtu = 1500): void {
  declare.serial(title, async (t) => {
    t.timeout(TIMEOUT_MS);
    const bed = await Bed.create(String(++made), hosts, mtu);
    t.teardown(() => bed.close());
    try {
      await body(t, bed);
    } catch (error) {
      for (const host of bed.hosts.values()) {
        t.log(`events of ${host.name}:\n${host.events.slice(-60).map((event) => `  ${event.monotonic_ms.toFixed(0)} ${event.kind} ${event.message}`).join('\n')}`);
      }
      throw error;
    }
  });
}

let made = 0;
