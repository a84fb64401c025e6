/** An adapter that cannot be made what is wished. */
export class AdapterError extends Error {
  override readonly name = 'AdapterError';

  constructor(
    message: string,
    /** What to do; null: the message says it. */
    readonly hint: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A step failed, and so did the undo of one before it: something is not as it was. */
export class PartlyUndoneError extends AdapterError {}
