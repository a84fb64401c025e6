import test from 'ava';
import { nearName } from '../../../src/core/near_name.js';

test('the name that was meant', (t) => {
  t.is(nearName('adaptor', ['name', 'adapter', 'tap']), 'adapter');
  t.is(nearName('nci0', ['nic0', 'nic1']), 'nic0');
  t.is(nearName('NIC0', ['nic0']), 'nic0');
  t.is(nearName('g11', ['g1', 'web']), 'g1');
});

test('no guess when nothing is near', (t) => {
  t.is(nearName('web', ['db', 'cache']), null);
  t.is(nearName('g7', []), null);
});
