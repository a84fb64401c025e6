/** Text that becomes HTML: escaped unless it is HTML already. */

/** HTML that needs no escaping any more. */
export class Html {
  constructor(readonly text: string) {}
}

type Value = Html | string | number | null | readonly Html[];

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escapeText = (text: string): string => text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);

function textOf(value: Value): string {
  if (value === null) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'string' || typeof value === 'number') return escapeText(String(value));
  return value.map((each) => each.text).join('');
}

/** Template tag: html`<b>${anything}</b>`. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(strings.map((text, index) => text + (index < values.length ? textOf(values[index] ?? null) : '')).join(''));
}

/** Data inside a <script> element: no "</script>" may appear in it. */
export const scriptJson = (data: unknown): Html => new Html(JSON.stringify(data).replace(/</g, '\\u003c'));

const GROUPED = new Intl.NumberFormat('en-US');

/** 1234567 -> "1,234,567". */
export const grouped = (value: number): string => GROUPED.format(value);

/** Milliseconds with as many digits as they deserve. */
export function milliseconds(value: number): string {
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Milliseconds since the start of the run -> "12.3 s". */
export const seconds = (value: number): string => `${(value / 1000).toFixed(1)} s`;

export function percent(part: number, whole: number): string {
  if (whole === 0) return '–';
  // 99.96 % must not read as 100.0 %.
  if (part === whole || part === 0) return `${part === 0 ? 0 : 100} %`;
  return `${Math.min(99.9, Math.max(0.1, (100 * part) / whole)).toFixed(1)} %`;
}

/** Bytes -> "12.3 MB", powers of ten. */
export function bytes(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} GB`;
  return value >= 1e6 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e3).toFixed(1)} kB`;
}
