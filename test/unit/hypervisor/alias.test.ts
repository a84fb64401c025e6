import test from 'ava';
import fc from 'fast-check';
import type { MacAddress } from '../../../src/core/model.js';
import { formatAlias, parseAlias } from '../../../src/hypervisor/alias.js';

const before = fc.record({
  mac: fc
    .uint8Array({ minLength: 6, maxLength: 6 })
    .map((bytes) => [...bytes].map((byte, i) => (i === 0 ? byte & 0xfe : byte).toString(16).padStart(2, '0')).join(':') as MacAddress),
  up: fc.boolean(),
  offloads: fc.record({ tx: fc.boolean(), gro: fc.boolean() }),
  alias: fc.string({ maxLength: 100 }),
});

test('a note says what was written into it', (t) => {
  fc.assert(fc.property(before, (device) => t.deepEqual(parseAlias(formatAlias(device)), device) === true));
});

test('what a guest may have written is not believed', (t) => {
  for (const alias of [
    '',
    'rack-7',
    'unipath before: mac 02:00:00:00:00:01 up tx on gro maybe',
    'unipath before: mac 01:00:00:00:00:01 up tx on gro on',
    'unipath before: mac 02:00:00:00:00:01;reboot up tx on gro on',
    ' unipath before: mac 02:00:00:00:00:01 up tx on gro on',
  ]) {
    t.is(parseAlias(alias), null, alias);
  }
});

test('an alias that leaves no room for the note is refused', (t) => {
  const device = { mac: '02:00:00:00:00:01' as MacAddress, up: false, offloads: { tx: true, gro: false }, alias: 'x'.repeat(200) };
  t.throws(() => formatAlias(device), { message: /too long to be kept/ });
});
