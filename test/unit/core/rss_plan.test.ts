import test from 'ava';
import { describeAction } from '../../../src/core/actions.js';
import { DEFAULT_HASH_TYPES, RSS_ROWS } from '../../../src/core/limits.js';
import { NO_RSS_WISH, type NicKey, type Observed, type RssSpec } from '../../../src/core/model.js';
import { planSteering } from '../../../src/core/queue_plan.js';
import { configuredKey, nicKeyOf, parseRssKey, planKeyChange, planRss, rowForKey } from '../../../src/core/rss_plan.js';
import { hashTypesFor, spreadFor, weightsFor } from '../../../src/core/rss_wish.js';
import { CPUS, desired, HOST_WISH, onVf, planFor, storedG1, words } from '../../support/plan_fixture.js';

const IN_FORCE = 'aa'.repeat(40);
const OTHER = 'bb'.repeat(40);
const DRAWN = 'cc'.repeat(40);
const spec = (key: string): RssSpec => ({ key, hashTypes: DEFAULT_HASH_TYPES });
const draw = (): string => DRAWN;

function seen(wish: Partial<typeof HOST_WISH> = {}, nicKey: NicKey | null = null): Observed {
  const observed = onVf();
  return { ...observed, rss: { ...observed.rss, wish: { ...HOST_WISH, ...wish }, nicKey } };
}

const wordsOf = (...args: Parameters<typeof planRss>): string[] => planRss(...args)?.actions.map(describeAction) ?? [];

test('a new key: into the row that is not in use, then named by the host and by every steering', (t) => {
  t.deepEqual(wordsOf(spec(OTHER), seen(), draw), [
    'write RSS key 1',
    "keep the operator's RSS settings: key 1, what the configuration says",
    'spread vNIC 1 over 2 tap queues',
    'spread vNIC 1 over 2 vf queues',
  ]);
  const sequence = planRss(spec(OTHER), seen(), draw);
  const rows = sequence?.actions.flatMap((action) => (action.kind === 'write-steering' ? [action.row?.rssRow] : []));
  t.deepEqual(rows, [1, 1]);
  const wish = sequence?.actions.find((action) => action.kind === 'write-host-rss-wish');
  t.like(wish, { wish: { keyRow: 1, keyByOperator: false, keyIsRandom: false } });
});

test('a row that somebody names, or is about to, is not written to', (t) => {
  const steering = planSteering(2, CPUS, 1);
  const late = steering === null ? null : { ...steering, rssRow: 1 };
  const observed = { ...seen(), stored: [storedG1({ vfSteering: late, rssWish: { ...NO_RSS_WISH, keyRow: 2 } })] };
  t.deepEqual(rowForKey(OTHER, observed, []), { row: 3, written: false });
  t.deepEqual(rowForKey(OTHER, observed, [3, 5]), { row: 4, written: false });
  const claimed = Array.from({ length: RSS_ROWS }, (_, row) => row);
  t.is(planKeyChange({ key: OTHER, byOperator: true, isRandom: false }, HOST_WISH, observed, claimed), null);
});

test('a key that somebody has is not written again; one that was left behind in a row is no key', (t) => {
  const named = { ...seen(), stored: [storedG1({ rssWish: { ...NO_RSS_WISH, keyRow: 2 } })] };
  const keys = [IN_FORCE, '00'.repeat(40), OTHER];
  t.deepEqual(rowForKey(OTHER, { ...named, rss: { ...named.rss, keys } }, []), { row: 2, written: true });
  t.deepEqual(rowForKey(OTHER, { ...seen(), rss: { ...seen().rss, keys } }, []), { row: 1, written: false });
});

test('a change of the host’s key leaves those that have their own', (t) => {
  const observed = { ...seen(), stored: onVf().stored.map((row) => ({ ...row, rssWish: { ...NO_RSS_WISH, keyRow: 2 } })) };
  t.deepEqual(wordsOf(spec(OTHER), observed, draw), ['write RSS key 1', "keep the operator's RSS settings: key 1, what the configuration says"]);
});

test('steerings that were left on the old row by a crash are brought to the one in force', (t) => {
  const observed = seen({ keyRow: 1 });
  t.deepEqual(words(planFor({ observed, desired: desired({}) })), [
    'repair, on failure stop:',
    'spread vNIC 1 over 2 tap queues',
    'spread vNIC 1 over 2 vf queues',
  ]);
});

test('random: a drawn key stays; one that somebody gave is replaced', (t) => {
  t.is(planRss(spec('random'), seen(), draw), null);
  t.deepEqual(configuredKey(spec('random'), seen({ keyIsRandom: false }).rss, draw), { key: DRAWN, byOperator: false, isRandom: true });
});

test('the operator’s key stays whatever the configuration says', (t) => {
  t.is(planRss(spec(OTHER), seen({ keyByOperator: true, keyIsRandom: false }), draw), null);
});

test('the same key from somebody else: only who gave it is noted', (t) => {
  t.deepEqual(wordsOf(spec(IN_FORCE), seen(), draw), ["keep the operator's RSS settings: key 0, what the configuration says"]);
  t.is(planRss(spec(IN_FORCE), seen({ keyIsRandom: false }), draw), null);
});

test('nic: the NIC’s key, and the one in force as long as there is none', (t) => {
  t.is(configuredKey(spec('nic'), seen({}, { key: OTHER }).rss, draw)?.key, OTHER);
  t.is(planRss(spec('nic'), seen({}, { problem: 'none' }), draw), null);
  t.is(planRss(spec('nic'), seen(), draw), null);
});

test('a NIC’s key: its first 40 bytes; a shorter one is refused with what to do', (t) => {
  t.deepEqual(nicKeyOf('eth0', Buffer.alloc(52, 0x5a)), { key: '5a'.repeat(40) });
  t.deepEqual(nicKeyOf('eth0', Buffer.alloc(40, 0x5a)), { key: '5a'.repeat(40) });
  const problem = (key: Buffer | null): string => {
    const answer = nicKeyOf('eth0', key);
    return 'problem' in answer ? answer.problem : 'none';
  };
  t.is(problem(Buffer.alloc(16, 1)), 'the RSS key of eth0 has 16 bytes, and 40 are needed; give rss.key 40 bytes yourself, or "random"');
  t.regex(problem(null), /^eth0 has no RSS key that could be read \(`ethtool -x eth0`\); give rss\.key/);
  t.regex(problem(Buffer.alloc(40)), /^the RSS key of eth0 is all zero/);
});

test('keys as they are written', (t) => {
  t.is(parseRssKey(Array(40).fill('5A').join(':')), '5a'.repeat(40));
  t.throws(() => parseRssKey('5a'), { instanceOf: RangeError, message: /80 hexadecimal digits; these are 2 characters/ });
  t.throws(() => parseRssKey('00'.repeat(40)), { message: /a key of zeros/ });
});

test('whose word counts: the operator’s for the vNIC, for the host, the configuration’s', (t) => {
  const own = { hashTypes: 1, weights: [], keyRow: 7 };
  const host = { hashTypes: 2, weights: [3] };
  t.deepEqual(hashTypesFor(own, host, spec('random')), { value: 1, source: 'operator' });
  t.deepEqual(hashTypesFor(NO_RSS_WISH, host, spec('random')), { value: 2, source: 'operator' });
  t.deepEqual(hashTypesFor(NO_RSS_WISH, NO_RSS_WISH, { key: 'random', hashTypes: 4 }), { value: 4, source: 'configuration' });
  t.deepEqual(hashTypesFor(NO_RSS_WISH, NO_RSS_WISH, spec('random')), { value: DEFAULT_HASH_TYPES, source: 'default' });
  t.deepEqual(weightsFor(own, host, { weights: [9] }), { value: [], source: 'operator' }, 'equal shares are a wish, too');
  t.deepEqual(weightsFor(NO_RSS_WISH, host, { weights: [9] }), { value: [3], source: 'operator' });
  t.deepEqual(weightsFor(NO_RSS_WISH, NO_RSS_WISH, { weights: [9] }), { value: [9], source: 'configuration' });
  t.deepEqual(weightsFor(NO_RSS_WISH, NO_RSS_WISH, { weights: [] }), { value: [], source: 'default' });
  t.deepEqual(spreadFor(NO_RSS_WISH, { ...HOST_WISH, keyRow: 1 }, spec('random'), { weights: [2, 1] }), {
    weights: [2, 1],
    hashTypes: DEFAULT_HASH_TYPES,
    rssRow: 1,
  });
  t.is(spreadFor(own, HOST_WISH, spec('random'), { weights: [] }).rssRow, 7);
});

test('the operator’s wish for a vNIC is read off its row and goes into its steerings', (t) => {
  const observed: Observed = { ...seen(), stored: onVf().stored.map((row) => ({ ...row, rssWish: { hashTypes: 3, weights: [3, 1], keyRow: null } })) };
  const planned = planFor({ observed, desired: desired({}) });
  t.deepEqual(planned.tenants[0]?.rssWish, { hashTypes: 3, weights: [3, 1], keyRow: null });
  const rows = planned.vnics.flatMap(({ sequence }) => sequence.actions.flatMap((action) => (action.kind === 'write-steering' ? [action.row] : [])));
  t.deepEqual(rows.map((row) => [row?.hashTypes, row?.reta.filter((queue) => queue === 0).length]), [[3, 96], [3, 96]]);
});
