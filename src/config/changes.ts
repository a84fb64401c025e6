/** What one configuration has otherwise than another, key by key. Pure. */
import type { FileForm } from './file_form.js';

/** Of a whole adapter or vNIC, `key` is null; of one of its keys, or of the file's, `key` is its path: "limits.vfs". */
export interface ConfigChange {
  readonly change: 'added' | 'removed' | 'changed';
  /** "vnic g1", "adapter nic0"; null: the file's own keys. */
  readonly object: string | null;
  readonly key: string | null;
  /** Values as in the file; null where there is none. */
  readonly before: unknown;
  readonly after: unknown;
  /** `start`: unipathd keeps the value before until it is started again. */
  readonly takes_effect: 'reload' | 'start';
}

/** Lists of named objects. */
const OBJECTS: Readonly<Record<string, string>> = { adapters: 'adapter', vnics: 'vnic' };
/** The other keys that are read again by a reload. */
const RELOADED = ['rss', 'discover'];

const isMapping = (value: unknown): value is FileForm => typeof value === 'object' && value !== null && !Array.isArray(value);
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

type Place = Pick<ConfigChange, 'object' | 'takes_effect'>;

/** Down to what is not a mapping on both sides. */
function keyChanges(before: FileForm, after: FileForm, place: (key: string) => Place, prefix = ''): ConfigChange[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name): ConfigChange[] => {
    const [was, is] = [before[name], after[name]];
    const key = `${prefix}${name}`;
    if (isMapping(was) && isMapping(is)) return keyChanges(was, is, place, `${key}.`);
    if (same(was, is)) return [];
    const change = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed';
    return [{ change, ...place(key), key, before: was ?? null, after: is ?? null }];
  });
}

function named(list: unknown): Map<string, FileForm> {
  return new Map((list as readonly FileForm[]).map((object) => [String(object['name']), object]));
}

function objectChanges(kind: string, before: unknown, after: unknown): ConfigChange[] {
  const [old, now] = [named(before), named(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((name): ConfigChange[] => {
    const [was, is] = [old.get(name), now.get(name)];
    const place: Place = { object: `${kind} ${name}`, takes_effect: 'reload' };
    if (was !== undefined && is !== undefined) return keyChanges(was, is, () => place);
    return [{ change: was === undefined ? 'added' : 'removed', ...place, key: null, before: was ?? null, after: is ?? null }];
  });
}

/** The file's own keys first, then adapters, then vNICs. */
export function changesOf(before: FileForm, after: FileForm): readonly ConfigChange[] {
  const rest = (form: FileForm): FileForm => Object.fromEntries(Object.entries(form).filter(([key]) => OBJECTS[key] === undefined));
  const place = (key: string): Place => ({ object: null, takes_effect: RELOADED.includes(key.split('.')[0] ?? '') ? 'reload' : 'start' });
  return [
    ...keyChanges(rest(before), rest(after), place),
    ...Object.entries(OBJECTS).flatMap(([key, kind]) => objectChanges(kind, before[key], after[key])),
  ];
}
