import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as limits from '../../../src/core/limits.js';
import { packageRoot } from '../../../src/paths.js';

test('the limits are those of enum contract_limit', (t) => {
  const header = readFileSync(join(packageRoot, 'maps', 'contract.h'), 'utf8');
  for (const [name, value] of Object.entries(limits)) {
    const found = new RegExp(`^\\s*${name} = (\\d+),`, 'm').exec(header);
    t.is(Number(found?.[1]), value, name);
  }
});
