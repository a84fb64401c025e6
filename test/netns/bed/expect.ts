/** What must be true of any traffic on a bed. */
import type { ExecutionContext } from 'ava';
import type { Risen } from './bed.js';
import type { Outcome } from './flows.js';

/** One finished checksum of 65535 looks unfinished. */
export const CHANCE = 3;

/** Every datagram once and intact, in every direction; the TCP streams move; nothing was lost behind a decision. */
export function isIntact(t: ExecutionContext, { udp, tcp }: Outcome, risen: Risen, where: string, tcpBytes = 5_000): void {
  for (const [direction, { sent, lost, duplicated, corrupt }] of Object.entries(udp)) {
    t.true(sent > 20, `${where}: ${direction}: only ${sent} datagrams`);
    t.deepEqual({ lost, duplicated, corrupt }, { lost: 0, duplicated: 0, corrupt: 0 }, `${where}: ${direction}`);
  }
  for (const [pair, { alive, bytes }] of Object.entries(tcp)) {
    t.true(alive, `${where}: TCP ${pair}`);
    t.true(bytes > tcpBytes, `${where}: TCP ${pair}: only ${bytes} bytes`);
  }
  t.deepEqual(Object.keys(risen).filter((name) => name.startsWith('error ')), [], `${where}: redirect errors`);
}

export function datagrams({ udp }: Outcome, from: string, to: string): number {
  return udp[`${from} > ${to}`]?.sent ?? 0;
}

/** Of the reasons in the list only this one was counted for the vNIC, at least so often. */
export function onlyReason(
  t: ExecutionContext, risen: Risen, vnic: string, reason: string, of: readonly string[], least: number, where: string,
): void {
  const count = risen[`${vnic} ${reason}`] ?? 0;
  t.true(count >= least, `${where}: ${count} frames of ${vnic} as ${reason}, at least ${least} were sent`);
  for (const other of of) if (other !== reason) t.is(risen[`${vnic} ${other}`] ?? 0, 0, `${where}: frames of ${vnic} as ${other}`);
}
