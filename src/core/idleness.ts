/** For how long nothing much has come from or for each vNIC, by what is counted at every look. Pure. */

/** Frames a second, in both directions, that are as good as nothing: neighbour solicitation, keep-alives. */
export const IDLE_FRAMES_PER_SECOND = 10;

export interface Activity {
  readonly frames: number;
  readonly atMs: number;
  /** When it was last busy, or first seen: what was before that nobody knows. */
  readonly busyMs: number;
}

/** @param counts frames since ever, by id of the vNIC; one that is not among them is forgotten */
export function nextActivity(before: ReadonlyMap<number, Activity>, counts: ReadonlyMap<number, number>, nowMs: number): ReadonlyMap<number, Activity> {
  return new Map(
    [...counts].map(([id, frames]): [number, Activity] => {
      const last = before.get(id);
      if (last === undefined) return [id, { frames, atMs: nowMs, busyMs: nowMs }];
      // One frame more or less is no rate.
      const few = 1 + ((nowMs - last.atMs) * IDLE_FRAMES_PER_SECOND) / 1000;
      const isBusy = frames < last.frames || frames - last.frames > few;
      return [id, { frames, atMs: nowMs, busyMs: isBusy ? nowMs : last.busyMs }];
    }),
  );
}

/** Milliseconds, by id. */
export function idleTimes(activity: ReadonlyMap<number, Activity>, nowMs: number): ReadonlyMap<number, number> {
  return new Map([...activity].map(([id, { busyMs }]) => [id, nowMs - busyMs]));
}
