/** The functions of libsystemd that are used. A machine without systemd need not have it. */
import { ffi } from './ffi.js';
import type { Bound } from './ffi_types.js';

const signatures = {
  // Negative errno on failure, 0 when nobody listens.
  sd_notify: ['i32', ['i32', 'str']],
  sd_journal_sendv: ['i32', ['ptr', 'i32']],
} as const;

let bound: Bound<typeof signatures> | null | undefined;

/** Null: it is not installed. */
export function libsystemd(): Bound<typeof signatures> | null {
  if (bound === undefined) {
    try {
      bound = ffi().open('libsystemd.so.0', signatures);
    } catch {
      bound = null;
    }
  }
  return bound;
}
