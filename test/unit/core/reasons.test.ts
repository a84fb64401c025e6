import test from 'ava';
import { NOT_ACCELERATED_REASONS } from '../../../src/core/model.js';
import { reasonText } from '../../../src/core/reasons.js';
import { vnicSpec } from '../../support/fake_site.js';

test('every reason has a sentence of its own', (t) => {
  const sentences = NOT_ACCELERATED_REASONS.map((reason) => reasonText(reason, vnicSpec(1)));
  t.is(new Set(sentences).size, NOT_ACCELERATED_REASONS.length);
  for (const sentence of sentences) t.regex(sentence, /^[a-z].{10,}[^.]$/);
});

test('the detail follows in brackets', (t) => {
  t.regex(reasonText('vf_lost', vnicSpec(1), 'why; next attempt in 0.3 s'), / \(why; next attempt in 0\.3 s\)$/);
});
