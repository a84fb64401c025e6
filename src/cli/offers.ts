/** Words that may stand behind an option, for who has a line completed; what an option takes is its command's own business. */
import { Option } from 'commander';

export interface Offer {
  readonly words: readonly string[];
  /** Several of them, with commas between. */
  readonly isList: boolean;
}

const OFFERS = new WeakMap<Option, Offer>();

/** An option with such words. */
export function offering(flags: string, description: string, words: readonly string[], isList = false): Option {
  const option = new Option(flags, description);
  OFFERS.set(option, { words, isList });
  return option;
}

export const offerOf = (option: Option): Offer | null => OFFERS.get(option) ?? null;
