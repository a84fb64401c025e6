/** What a check says of one thing: whether it is well, and what to do if not. */

export type Level = 'ok' | 'warn' | 'problem';

export interface Finding {
  readonly level: Level;
  /** What it is about: an interface, or a part of the machine. */
  readonly about: string;
  readonly text: string;
  /** What to do; null: nothing. */
  readonly remedy: string | null;
}

export const finding = (level: Level, about: string, text: string, remedy: string | null = null): Finding => ({ level, about, text, remedy });
