/** Three answers to a question about a machine: yes, and what; no, and why; could not tell, and why. Only the first two may be built upon. */

export type Fact<T> =
  | { readonly answer: 'yes'; readonly value: T }
  | { readonly answer: 'no'; readonly why: string }
  | { readonly answer: 'unknown'; readonly why: string };

export const yes = <T>(value: T): Fact<T> => ({ answer: 'yes', value });
export const no = <T>(why: string): Fact<T> => ({ answer: 'no', why });
export const unknown = <T>(why: string): Fact<T> => ({ answer: 'unknown', why });

/** The value; null when there is none, or it is not known. */
export function valueOf<T>(fact: Fact<T>): T | null {
  return fact.answer === 'yes' ? fact.value : null;
}
