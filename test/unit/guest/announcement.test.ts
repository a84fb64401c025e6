import test from 'ava';
import { announcementFrame } from '../../../src/guest/announcement.js';

const mac = Buffer.from('525400000001', 'hex');

test('with an IPv4 address it is a gratuitous ARP request', (t) => {
  const frame = announcementFrame({ mac, ipv4: Buffer.from([10, 0, 0, 7]), vlan: 0 });
  t.is(frame.length, 60);
  t.is(
    frame.subarray(0, 42).toString('hex'),
    'ffffffffffff5254000000010806' + '0001080006040001' + '525400000001' + '0a000007' + '000000000000' + '0a000007',
  );
});

test('without, it is the reverse ARP request of a migrated guest', (t) => {
  const frame = announcementFrame({ mac, ipv4: null, vlan: 0 });
  t.is(
    frame.subarray(0, 42).toString('hex'),
    'ffffffffffff5254000000018035' + '0001080006040003' + '525400000001' + '00000000' + '525400000001' + '00000000',
  );
});

test('in a VLAN it carries the tag', (t) => {
  const frame = announcementFrame({ mac, ipv4: null, vlan: 42 });
  t.is(frame.length, 60);
  t.is(frame.subarray(12, 18).toString('hex'), '8100002a8035');
});
