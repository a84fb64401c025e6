/** A test with real guests on a bed that is made for it and taken away after it, whatever happens. */
import type { ExecutionContext } from 'ava';
import { whyNoGuests } from '../../src/lab/qemu/available.js';
import { deadKernelWords } from '../../src/lab/qemu/dead_kernel.js';
import { needs, testWith } from '../support/require.js';
import { Bed, type BedHostOptions } from './bed.js';

const declare = testWith(whyNoGuests(), needs.bpffs());

/** Emulated CPUs on a busy machine. */
const TIMEOUT_MS = 290_000;

const ATTEMPTS = 3;

export function guestsTest(title: string, hosts: readonly BedHostOptions[], body: (t: ExecutionContext, bed: Bed) => Promise<void>, mtu = 1500): void {
  declare.serial(title, async (t) => {
    t.timeout(TIMEOUT_MS);
    for (let attempt = 1; ; attempt++) {
      const bed = await Bed.create(String(++made), hosts, mtu);
      const result = await t.try((tt) => body(tt, bed).catch((error: unknown) => tt.fail((error as Error).stack ?? String(error))));
      const words = bed.guests.map(({ qemu }) => deadKernelWords(qemu.console())).find((text) => text !== null);
      if (!result.passed) {
        for (const host of bed.hosts.values()) {
          t.log(`events of ${host.name}:\n${host.events.slice(-60).map((event) => `  ${event.monotonic_ms.toFixed(0)} ${event.kind} ${event.message}`).join('\n')}`);
        }
      }
      await bed.close();
      if (result.passed || words === undefined || attempt === ATTEMPTS) {
        result.commit();
        return;
      }
      result.discard();
      t.log(`attempt ${attempt}: the guest's kernel died (${words}), and the test begins anew`);
    }
  });
}

let made = 0;
