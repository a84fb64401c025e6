/** What nobody who reads a report has to know, left out of it. Pure. */

export const LEFT_OUT = '(left out)';

const SECRETS: readonly (readonly [RegExp, string])[] = [
  // RSS keys: whoever knows one can make flows that all take one queue.
  [/\b[0-9a-f]{80}\b/gi, LEFT_OUT],
  [/\b[0-9a-f]{2}(?::[0-9a-f]{2}){39}\b/gi, LEFT_OUT],
  // Who logs in to a hypervisor, and how.
  [/:\/\/[^\s/@"']*@/g, `://${LEFT_OUT}@`],
  [/\b(password|passwd|secret|token)(["']?\s*[:=]\s*["']?)[^\s"',}]+/gi, `$1$2${LEFT_OUT}`],
];

export function redact(text: string): string {
  return SECRETS.reduce((left, [pattern, word]) => left.replace(pattern, word), text);
}

/** Every text in it, however deep. */
export function redactAll(value: unknown): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map(redactAll);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, redactAll(each)]));
}
