/** The tracing programs, which count what goes wrong after the decision. Without them only counters are missing. */
import { renameSync } from 'node:fs';
import { isNativeError } from '../native/errors.js';
import { attachTracing } from '../native/link.js';
import type { Pins } from '../native/pins.js';
import type { LoadedObject } from './loader.js';
import { NEXT } from './pinned_handles.js';

/** Attaches and pins them, in place of those of an earlier object. */
export function attachObservers(pins: Pins, { object, observers }: LoadedObject, warn: (message: string) => void): void {
  for (const name of pins.listTracing()) if (!observers.includes(name)) pins.remove(pins.tracing(name));
  for (const name of observers) {
    try {
      const link = attachTracing(object.program(name));
      try {
        link.pin(pins.tracing(name + NEXT));
      } finally {
        link.close();
      }
      renameSync(pins.tracing(name + NEXT), pins.tracing(name));
    } catch (error) {
      if (!isNativeError(error)) throw error;
      warn(`some redirect errors will not be counted: ${error.message}`);
    }
  }
}
