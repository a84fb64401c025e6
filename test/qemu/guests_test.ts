/** A test with real guests on a bed that is made for it and taken away after it, whatever happens. */
import type { ExecutionContext } from 'ava';
import { whyNoGuests } from '../../src/lab/qemu/available.js';
import { needs, testWith } from '../support/require.js';
import { Bed, type BedHostOptions } from './bed.js';

const declare = testWith(whyNoGuests(), needs.bpffs());
const declareLong = testWith(whyNoGuests(), needs.bpffs(), needs.time());

/** Emulated CPUs on a busy machine. */
const TIMEOUT_MS = 420_000;

const ATTEMPTS = 4;
/** A guest that lives answers sooner, however busy the machine is. */
const ANSWERS_MS = 15_000;

/**
 * What became of a guest by itself, in words; null: nothing. One that has migrated is at one end paused, and answers at the other; a serial
 * line that is dead at both is no doing of any NIC.
 */
async function disorder({ guests }: Bed): Promise<string | null> {
  const words = guests.map(({ qemu }) => qemu.kernelDeath()).find((text) => text !== null);
  if (words !== undefined) return `its kernel died (${words})`;
  const alive = guests.filter(({ qemu }) => qemu.running);
  const answers = await Promise.all(alive.map(({ qemu }) => qemu.shell('true', { deadlineMs: ANSWERS_MS }).then(() => true, () => false)));
  return guests.length > 1 && alive.length > 0 && !answers.includes(true) ? 'it migrated and answers no more' : null;
}

export interface GuestsTestOptions {
  /** Of the wire. Default 1500. */
  readonly mtu?: number;
  /** Only where there is time (needs.time()). */
  readonly long?: boolean;
}

export function guestsTest(title: string, hosts: readonly BedHostOptions[], body: (t: ExecutionContext, bed: Bed) => Promise<void>, options: GuestsTestOptions = {}): void {
  const { mtu = 1500, long = false } = options;
  (long ? declareLong : declare).serial(title, async (t) => {
    t.timeout(TIMEOUT_MS);
    for (let attempt = 1; ; attempt++) {
      const bed = await Bed.create(String(++made), hosts, mtu);
      const result = await t.try((tt) => body(tt, bed).catch((error: unknown) => tt.fail((error as Error).stack ?? String(error))));
      const words = result.passed ? null : await disorder(bed);
      if (!result.passed) {
        for (const host of bed.hosts.values()) {
          t.log(`events of ${host.name}:\n${host.events.slice(-60).map((event) => `  ${event.monotonic_ms.toFixed(0)} ${event.kind} ${event.message}`).join('\n')}`);
        }
      }
      await bed.close();
      if (words === null || attempt === ATTEMPTS) {
        result.commit();
        return;
      }
      result.discard();
      t.log(`attempt ${attempt}: something became of the guest: ${words}. The test begins anew`);
    }
  });
}

let made = 0;
