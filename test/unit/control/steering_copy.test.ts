import test from 'ava';
import { RequestError } from '../../../src/control/client.js';
import type { FlowsRequest } from '../../../src/control/flow_protocol.js';
import type { VnicStatus } from '../../../src/control/protocol.js';
import type { RssReply, RssRequest, RssVnic } from '../../../src/control/rss_protocol.js';
import { copySteering } from '../../../src/control/steering_copy.js';
import { rssStatus, vnicStatus } from '../../support/fake_controller.js';

const [rssVnic] = rssStatus().vnics as [RssVnic];
const PLAIN: RssVnic = { ...rssVnic, hash_types_source: 'default' };

/** A host as its socket shows it; what it is told is kept. */
function host(vnics: readonly VnicStatus[], rss: readonly RssVnic[], key = 'aa'.repeat(40), seed: string | null = '00000000000000ff') {
  const told: unknown[] = [];
  return {
    told,
    status: async () => ({ schema: 1, version: '', pid: 1, pins: '', config_file: '', adopted: false, last_reconcile_age_ms: 0, reconcile_error: null, adapters: [], quotas: [], vnics }),
    rss: async (): Promise<RssReply> => ({ ...rssStatus({ key, vnics: rss }), schema: 1 }),
    flows: async (vnic: string) => ({ schema: 1, vnic, seed, slots: 16, flows: [[1, 2, 3, 4]] as const }),
    putFlows: async (vnic: string, request: FlowsRequest) => {
      told.push(['flows', vnic, request]);
      return { schema: 1, vnic, taken: request.flows.length, waits: true };
    },
    setRss: async (vnic: string | null, request: RssRequest) => {
      told.push(['rss', vnic, request]);
      return { schema: 1, dry_run: false, changes: [], rss: rssStatus() };
    },
  };
}

test('learnt flows go to the vNIC with the same MAC address, whatever it is called there', async (t) => {
  const to = host([vnicStatus({ name: 'other', mac: '52:54:00:00:00:09' }), vnicStatus({ name: 'web' })], [{ ...PLAIN, name: 'web' }]);
  const copied = await copySteering(host([vnicStatus(), vnicStatus({ name: 'g2' })], [PLAIN]), to, ['g1']);
  t.deepEqual(copied, { vnics: [{ vnic: 'g1', flows: 1, waits: true }], notes: [] });
  t.deepEqual(to.told, [['flows', 'web', { seed: '00000000000000ff', slots: 16, flows: [[1, 2, 3, 4]] }]]);
});

test('one that is not in the maps has nothing to bring', async (t) => {
  const to = host([vnicStatus()], [PLAIN]);
  t.deepEqual(await copySteering(host([vnicStatus()], [PLAIN], undefined, null), to, ['g1']), { vnics: [], notes: [] });
  t.deepEqual(to.told, []);
});

test('what an operator set goes along; what the configuration says does not', async (t) => {
  const set: RssVnic = { ...PLAIN, weights: [3, 1], weights_source: 'operator', hash_types: ['ipv4', 'udp_ipv4'], hash_types_source: 'operator' };
  const [to, again] = [host([vnicStatus()], [PLAIN]), host([vnicStatus()], [set])];
  t.deepEqual((await copySteering(host([vnicStatus()], [set]), to, ['g1'])).notes, []);
  t.deepEqual(to.told.at(-1), ['rss', 'g1', { weights: [3, 1], hash_types: ['ipv4', 'udp_ipv4'] }]);
  await copySteering(host([vnicStatus()], [set]), again, ['g1']);
  t.is(again.told.length, 1, 'it is so there already');
  const configured = host([vnicStatus()], [PLAIN]);
  const { notes } = await copySteering(host([vnicStatus()], [{ ...PLAIN, weights: [3, 1], weights_source: 'configuration' }]), configured, ['g1']);
  t.is(configured.told.length, 1);
  t.deepEqual(notes, ['the configurations give the queues of g1 other shares']);
});

test('the key goes along where the other host has another for it', async (t) => {
  const other = { ...PLAIN, key: 'bb'.repeat(40), key_source: 'operator' } as const;
  const [to, back] = [host([vnicStatus()], [other]), host([vnicStatus()], [PLAIN])];
  t.deepEqual((await copySteering(host([vnicStatus()], [PLAIN]), to, ['g1'])).notes, []);
  t.deepEqual(to.told.at(-1), ['rss', 'g1', { key: PLAIN.key }]);
  await copySteering(host([vnicStatus()], [other]), back, ['g1']);
  t.deepEqual(back.told.at(-1), ['rss', 'g1', { key: other.key }]);
});

test('what the other host refuses is told, and the flows are there', async (t) => {
  const to = host([vnicStatus()], [{ ...PLAIN, key: 'bb'.repeat(40) }]);
  const setRss = async (): Promise<never> => Promise.reject(new RequestError(409, 'refused', 'key: 16 keys are in use already', null));
  const { vnics, notes } = await copySteering(host([vnicStatus()], [PLAIN]), { ...to, setRss }, ['g1']);
  t.is(vnics.length, 1);
  t.deepEqual(notes, ['the settings of g1 were not taken: key: 16 keys are in use already']);
});

test('what is otherwise there is told: no such vNIC', async (t) => {
  const nowhere = host([], []);
  const lost = await copySteering(host([vnicStatus()], [PLAIN]), nowhere, ['g1']);
  t.deepEqual(lost, { vnics: [], notes: ['the other host knows no vNIC with 52:54:00:00:00:01: nothing of g1 was brought there'] });
  t.deepEqual(nowhere.told, []);
});
