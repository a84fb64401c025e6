/** Sending from more than one place. */
import { setTimeout as sleep } from 'node:timers/promises';

const BURST = 4;

/** A few at a time, so that the machine may run the sender on another CPU in between. */
export async function sendLater<T>(items: readonly T[], send: (item: T) => void): Promise<void> {
  for (const [i, item] of items.entries()) {
    send(item);
    if (i % BURST === BURST - 1) await sleep(2);
  }
}
