/** The page of words names what there is: each word in its last column is one of the contract, metrics, configuration, commands or JSON. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { packageRoot } from '../../../src/paths.js';

const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8');
const PROTOCOLS = readdirSync(join(packageRoot, 'src/control')).filter((name) => name.endsWith('protocol.ts')).map((name) => `src/control/${name}`);
const PLACES = ['maps/generated/contract.ts', 'docs/metrics.md', 'docs/configuration.md', 'docs/cli.md', 'src/config/schema.ts', 'src/core/model.ts', 'src/cli/map.ts', ...PROTOCOLS];

/** "`a`, `b_*`" */
const wordsOf = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

/** A star stands for any end. */
function isIn(word: string, all: string): boolean {
  const pattern = word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\\\*$/, '\\w+');
  return new RegExp(`(?<!\\w)${pattern}(?!\\w)`).test(all);
}

test('each word that the page of words names is to be found', (t) => {
  const all = PLACES.map(read).join('\n');
  const cells = read('docs/words.md').split('\n').filter((line) => line.startsWith('| ')).map((line) => line.split(' | ').at(-1) ?? '');
  const words = cells.flatMap(wordsOf);
  t.true(words.length > 70, String(words.length));
  t.deepEqual(words.filter((word) => !isIn(word, all)), []);
  t.false(isIn('unipath_hold_x*', all));
  t.false(isIn('pathz', all));
});

test('keys of JSON are in snake_case', (t) => {
  const keys = PROTOCOLS.flatMap((path) => [...read(path).matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, key = '']) => key));
  t.true(keys.length > 100, String(keys.length));
  t.deepEqual(keys.filter((key) => !/^[a-z][a-z0-9_]*$/.test(key)), []);
});
