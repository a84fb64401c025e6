import test from 'ava';
import { niceStep, plotCurves, shortCount } from '../../../src/bench/plot.js';

const curve = { name: 'cost <by> vNICs', x: 'vNICs', unit: 'ns', points: [{ x: 1, values: [40] }, { x: 254, values: [44, 46, 48] }] };

test('a curve is a line of medians within a band of quartiles', (t) => {
  const svg = plotCurves([curve]);
  t.regex(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  // 1 is at the left end of the logarithmic axis, the last count at the right; 0..60 ns over 240 units of height.
  t.regex(svg, /<polyline class="median" points="60\.0,120\.0 620\.0,96\.0"\/>/);
  t.regex(svg, /<polygon class="band" points="60\.0,120\.0 620\.0,92\.0 620\.0,100\.0 60\.0,120\.0"\/>/);
  t.regex(svg, /<title>254 vNICs: 46\.0 ns \(45\.0-47\.0\)<\/title>/);
});

test('text is escaped, and every curve has its panel', (t) => {
  const svg = plotCurves([curve, { ...curve, name: 'other' }]);
  t.regex(svg, /cost &lt;by&gt; vNICs/);
  t.is(svg.match(/class="median" points/g)?.length, 2);
});

test('a curve without points is an empty panel', (t) => {
  t.notThrows(() => plotCurves([{ ...curve, points: [] }]));
});

test('steps and counts are round', (t) => {
  t.deepEqual([niceStep(47, 4), niceStep(1, 4), niceStep(300, 4)], [20, 0.5, 100]);
  t.deepEqual([1, 254, 4096, 65536, 1040384].map(shortCount), ['1', '254', '4k', '64k', '1M']);
});
