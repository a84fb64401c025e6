/** What the control plane's callers may have to handle. */
import { describeAction, type Action } from '../core/actions.js';
import type { NotAcceleratedReason } from '../core/model.js';
import { nameHint } from '../core/near_name.js';

/** No vNIC of this name is configured. */
export class UnknownNameError extends Error {
  override readonly name = 'UnknownNameError';

  /** What to do; null: it went away meanwhile. */
  readonly hint: string | null;

  constructor(unknown: string, known: readonly string[]) {
    super(`there is no vNIC "${unknown}"`);
    this.hint = known.length === 0 ? null : nameHint(unknown, known);
  }
}

/** No VF is reached by a port of this name. */
export class UnknownVfError extends Error {
  override readonly name = 'UnknownVfError';

  /** What to do; null: it went away meanwhile. */
  readonly hint: string | null;

  constructor(unknown: string, known: readonly string[]) {
    super(`there is no VF "${unknown}"`);
    this.hint = known.length === 0 ? null : nameHint(unknown, known);
  }
}

/** A VF shall be released that is in no quarantine. */
export class NotInQuarantineError extends Error {
  override readonly name = 'NotInQuarantineError';

  constructor(port: string) {
    super(`VF ${port} is not in quarantine`);
  }
}

/** A command about RSS asks for what cannot be; nothing was changed. */
export class RssRefusedError extends Error {
  override readonly name = 'RssRefusedError';
}

/** `down` could not undo everything; what is left is tried again until it can, and `down` may be asked for once more. */
export class NotUndoneError extends Error {
  override readonly name = 'NotUndoneError';

  constructor(readonly left: readonly string[]) {
    super(`not everything could be undone: ${left.join('; ')}`);
  }
}

/** A step of a sequence failed. The message names the step; `reason` is what to say of the vNIC. */
export class StepError extends Error {
  override readonly name = 'StepError';

  constructor(
    readonly action: Action,
    readonly reason: NotAcceleratedReason,
    override readonly cause: unknown,
    /** Why undoing earlier steps failed; empty when they are all undone, or were not to be. */
    readonly notUndone: readonly string[],
  ) {
    const left = notUndone.length === 0 ? '' : `; then not undone: ${notUndone.join('; ')}`;
    super(`could not ${describeAction(action)}: ${messageOf(cause)}${left}`);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
