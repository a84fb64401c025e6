import test from 'ava';
import { type NamedPanel, type PanelData, panelsNamed, type Recording } from '../../../grafana/gallery/model.js';
import { pictureOf } from '../../../grafana/gallery/picture.js';
import { written } from '../../../grafana/gallery/units.js';
import { targetsOf } from '../../../grafana/queries.js';

const recording: Recording = { from: 1000, to: 1090, panels: {} };

const named = (name: string): NamedPanel => {
  const found = panelsNamed().find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no panel ${name}`);
  return found;
};

/** Texts of a picture, in the order in which they are drawn. */
const textsIn = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text = '']) => text);

function drawn(name: string, data: PanelData): string[] {
  return textsIn(pictureOf(named(name).panel, data, recording));
}

test('lines: their names by the legend, what they were last and at most, in the unit', (t) => {
  const values = Array.from({ length: 91 }, (_, i) => [1000 + i, i === 30 ? 2500 : 12] as const);
  const texts = drawn('fleet/frames-by-verdict', [[{ labels: { verdict: 'pass' }, values }]]);
  for (const text of ['Frames by verdict', 'pass', '12 p/s', '2.5 kp/s', '0 p/s']) t.true(texts.includes(text), text);
  t.true(drawn('fleet/frames-by-verdict', [[]]).includes('No data'));
});

test('numbers: with their meaning, or their name; tables: the columns that were chosen', (t) => {
  const now = (value: number, labels: Record<string, string> = {}): PanelData => [[{ labels, values: [[1090, value]] }]];
  t.true(drawn('host/well', now(1)).includes('yes'));
  t.true(drawn('fleet/hosts-that-are-well', now(0.5)).includes('50 %'));
  t.true(drawn('vnic/path', now(1, { path: 'accelerated' })).includes('accelerated'));
  const hosts = drawn('fleet/hosts', now(0, { instance: 'a', version: '1.2.3', kernel: '6.12', node_version: 'v20', job: 'unipath' }));
  for (const text of ['Host', 'State', 'a', '1.2.3', '6.12', 'not well']) t.true(hosts.includes(text), text);
  t.false(hosts.includes('unipath job'));
});

test('bands: states that follow each other are one, by their meaning', (t) => {
  const values = Array.from({ length: 91 }, (_, i) => [1000 + i, i < 45 ? 0 : 1] as const);
  const texts = drawn('host/path-of-each-vnic', [[{ labels: { vnic: 'g1' }, values }]]);
  t.is(texts.filter((text) => text === 'software').length, 1);
  t.is(texts.filter((text) => text === 'accelerated').length, 1);
});

test('the gallery knows every unit and every kind of panel', (t) => {
  const series = [{ labels: { instance: 'a' }, values: [[1000, 1], [1001, 1]] as const }];
  for (const { name, panel } of panelsNamed()) t.notThrows(() => pictureOf(panel, targetsOf(panel).map(() => series), recording), name);
  t.throws(() => written('furlong', 1), { message: /does not know the unit furlong: add it in grafana\/gallery\/units\.ts/ });
  t.deepEqual(
    [written('s', 0.0123), written('s', 90), written('bps', 1.5e6), written('bytes', 2048), written('percentunit', 0.256), written('short', 12), written('s', Number.NaN)],
    ['12.3 ms', '1.5 min', '1.5 Mb/s', '2 KiB', '25.6 %', '12', '-'],
  );
});
