/** What is read at a scrape: a name for the error counter, and one synchronous reading that fills metric families. */
export interface Collector {
  readonly name: string;
  /** Replaces what its families show by what is now. */
  collect(): void;
}
