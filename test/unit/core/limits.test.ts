import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { HashType } from '../../../maps/generated/contract.js';
import * as limits from '../../../src/core/limits.js';
import { packageRoot } from '../../../src/paths.js';

test('the limits are those of enum contract_limit', (t) => {
  const { DEFAULT_HASH_TYPES, ...sizes } = limits;
  t.is(DEFAULT_HASH_TYPES, HashType.DEFAULT);
  const header = readFileSync(join(packageRoot, 'maps', 'contract.h'), 'utf8');
  for (const [name, value] of Object.entries(sizes)) {
    const found = new RegExp(`^\\s*${name} = (\\d+),`, 'm').exec(header);
    t.is(Number(found?.[1]), value, name);
  }
});
