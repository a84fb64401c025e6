import test from 'ava';
import { parseMacAddress } from '../../../src/core/model.js';
import { drainFrame } from '../../../src/reconcile/control_frame.js';

test('DRAIN, byte by byte', (t) => {
  const frame = drainFrame(parseMacAddress('52:54:00:12:34:56'), 0xfedcba98);
  const head = '525400123456' + '020000000001' + '88b5' + '554e4950' + 'fedcba98' + '01';
  t.is(frame.toString('hex'), head.padEnd(62 * 2, '0'));
});
