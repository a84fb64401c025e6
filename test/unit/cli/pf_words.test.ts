import test from 'ava';
import { snakeKeys } from '../../../src/cli/json_keys.js';
import { channelsText, factCell, factText, pfList, pfRow, retaText, vfRow } from '../../../src/cli/pf_words.js';
import { no, unknown, yes } from '../../../src/sriov/fact.js';
import { nicFacts, pfFacts, vfConfiguration, vfFacts } from '../../support/pf_facts.js';

const cells = (row: readonly (string | { readonly text: string })[]): string => row.map((cell) => (typeof cell === 'string' ? cell : cell.text)).join(' | ');

test('the three answers look different', (t) => {
  t.is(factText(yes(7)), '7');
  t.is(factText(no('there is none')), 'none: there is none');
  t.is(factText(unknown('nobody answers')), 'not known: nobody answers');
  t.deepEqual([factCell(yes(7)), factCell(no('x')), factCell(unknown('x'))], ['7', '-', { text: '?', style: 'quiet' }]);
});

test('a PF in one line', (t) => {
  t.is(cells(pfRow(pfFacts())), '0000:01:00.0 | eth0 | igb | 1 Gbit/s | - | 6 | legacy | native | 2/7');
  t.is(cells(pfRow(pfFacts({ nic: no('it is elsewhere'), driver: yes('vfio-pci'), eswitch: unknown('x') }))), '0000:01:00.0 | - | vfio-pci | - | - | 6 | ? | - | 2/7');
  const down = nicFacts({ up: false, carrier: false, xdpFeatures: no('none') });
  t.is(cells(pfRow(pfFacts({ nic: yes(down) }))), '0000:01:00.0 | eth0 | igb | down | - | 6 | legacy | generic | 2/7');
});

test('a VF in one line', (t) => {
  t.is(cells(vfRow(vfFacts(0))), '0 | 0000:01:10.0 | igbvf | eth3 | - | 9 | 3 | its own | - | on | off | auto | -');
  const configuration = yes(vfConfiguration({ mac: '52:54:00:00:00:01', vlan: 7, qos: 3, protocol: '802.1ad', minRate: 10, maxRate: 100, trust: no('x') }));
  t.is(
    cells(vfRow(vfFacts(1, { driver: yes('vfio-pci'), netdevs: [], configuration, representor: yes('pf0vf1') }))),
    '1 | 0000:01:10.2 | vfio-pci | - | pf0vf1 | 10 | 3 | 52:54:00:00:00:01 | 7,qos 3 802.1ad | on | - | auto | 10..100',
  );
  t.regex(cells(vfRow(vfFacts(0, { configuration: unknown('no answer') }))), /\| \? \| \? \| \? \| \? \| \? \| \?$/);
});

test('channels and the indirection table', (t) => {
  t.is(channelsText(nicFacts()), '2 of 8 combined');
  t.is(channelsText(nicFacts({ channels: yes({ rx: 1, tx: 2, combined: 0, maxRx: 4, maxTx: 8, maxCombined: 0 }) })), '1 of 4 receive, 2 of 8 transmit');
  t.is(retaText([0, 1, 1, 3]), '4 entries (queue 0: 1, queue 1: 2, queue 3: 1)');
});

test('a PF of which little is known still has all its lines', (t) => {
  const lines = new Map(pfList(pfFacts({ nic: no('it is elsewhere'), msix: unknown('root is needed') })));
  t.is(lines.get('netdev'), 'none: it is elsewhere');
  t.is(lines.get('MSI-X'), 'not known: root is needed');
  t.false(lines.has('RSS key'));
});

test('JSON has snake_case throughout', (t) => {
  t.deepEqual(snakeKeys({ vfMsixTotal: [{ maxRx: 1, pci: 'aB' }], x: null }), { vf_msix_total: [{ max_rx: 1, pci: 'aB' }], x: null });
  t.notRegex(JSON.stringify(snakeKeys(pfFacts())), /"[a-z0-9]+[A-Z][A-Za-z0-9]*":/);
});
