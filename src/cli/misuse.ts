/** What commander says of a wrong line, as our other errors are said: the message, and the near name as a hint. Pure. */
import { nearName } from '../core/near_name.js';
import { commonOptionNames } from './context.js';

export interface Misuse {
  readonly message: string;
  readonly hint: string | null;
}

/** @param text "error: unknown command 'vnik'\n(Did you mean vnic?)" */
export function misuseOf(text: string): Misuse {
  const [first = '', ...rest] = text.trim().split('\n');
  const [, said] = /\(Did you mean (.*)\?\)/s.exec(rest.join('\n')) ?? [];
  return { message: first.replace(/^error: /, ''), hint: said === undefined ? ownHint(first) : `did you mean ${said.startsWith('one of') ? said : `"${said}"`}?` };
}

/** Where commander has none: options that hold for every command, and choices. */
function ownHint(text: string): string | null {
  const [, option] = /unknown option '(--[\w-]+)/.exec(text) ?? [];
  const [, value, choices] = /(?:value|argument) '([^']*)' is invalid.* Allowed choices are (.+)\.$/.exec(text) ?? [];
  const near = option !== undefined ? nearName(option, commonOptionNames()) : value !== undefined ? nearName(value, (choices ?? '').split(', ')) : null;
  return near === null ? null : `did you mean "${near}"?`;
}
