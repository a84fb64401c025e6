/** A VF that is kept for a vNIC whose guest is not here yet, for a while. Pure. */

export interface Reservation {
  /** Of the VF that is kept; null: none was to be had yet. */
  readonly port: string | null;
  /** Then it ends by itself. */
  readonly untilMs: number;
  /** Of a guest on its way here, or because somebody asked for it. */
  readonly by: 'migration' | 'operator';
}

export interface ReservationFacts {
  /** The guest is on its way here, and its vNIC is to be accelerated. */
  readonly expected: boolean;
  /** The vNIC has a VF: what was kept has come to its end. */
  readonly served: boolean;
}

/** Port of the VF that is still kept; null: none. */
export function keptPort(reservation: Reservation | null, nowMs: number): string | null {
  return reservation !== null && nowMs < reservation.untilMs ? reservation.port : null;
}

/**
 * The reservation from now on. One for a migration begins when the guest is first seen on its way and does not begin anew when it has run out,
 * however long the guest stays away.
 */
export function keepReservation(before: Reservation | null, { expected, served }: ReservationFacts, nowMs: number, leaseMs: number): Reservation | null {
  if (served) return null;
  if (before === null) return expected ? { port: null, untilMs: nowMs + leaseMs, by: 'migration' } : null;
  if (nowMs < before.untilMs) return before;
  return before.by === 'migration' && expected ? { ...before, port: null } : null;
}
