/** Maps of one version of the contract are laid out alike: what an earlier unipathd has pinned there, a later one takes over. */
import { createHash } from 'node:crypto';
import test from 'ava';
import { ContractLimit, hostFingerprint, pluginFingerprint } from '../../maps/generated/contract.js';

/** Of the version that stands before it. Enums and knobs are not in it: their values only grow, or are set at each load. */
const LAYOUT = '5 97727af1fc81e99d';

test('whoever changes the layout of maps raises CONTRACT_VERSION', (t) => {
  const facts = [hostFingerprint, pluginFingerprint].map(({ structs, maps }) => ({ structs, maps }));
  const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16);
  const found = `${ContractLimit.CONTRACT_VERSION} ${digest}`;
  t.is(found, LAYOUT, 'maps or structs are laid out otherwise: raise CONTRACT_VERSION (maps/contract.h), say in maps/README.md why, and write both here');
});
