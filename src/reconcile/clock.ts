/** Time, as the control plane knows it: monotonic only. Tests bring their own. */
export interface Clock {
  /** CLOCK_MONOTONIC, milliseconds. */
  nowMs(): number;
  /** Calls back once, after so many milliseconds; returns the function that prevents it. */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
