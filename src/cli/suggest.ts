/** The near name behind what commander says of a wrong word, where it has none: options that hold for every command, and choices. Pure. */
import { nearName } from '../core/near_name.js';
import { commonOptionNames } from './context.js';

/** @param text a message of commander, with its end of line */
export function withNearName(text: string): string {
  if (text.includes('Did you mean')) return text;
  const [, option] = /unknown option '(--[\w-]+)/.exec(text) ?? [];
  const [, value, choices] = /(?:value|argument) '([^']*)' is invalid.* Allowed choices are (.+)\.$/m.exec(text) ?? [];
  const near = option !== undefined ? nearName(option, commonOptionNames()) : value !== undefined ? nearName(value, (choices ?? '').split(', ')) : null;
  return near === null ? text : `${text}(Did you mean ${near}?)\n`;
}
