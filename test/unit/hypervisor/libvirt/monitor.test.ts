import test from 'ava';
import { parseReply } from '../../../../src/hypervisor/libvirt/monitor.js';
import { MonitorLostError, QmpError } from '../../../../src/hypervisor/qemu/monitor.js';

test('replies of QEMU as virsh prints them', (t) => {
  t.deepEqual(parseReply('query-status', '{"return":{"running":true},"id":"libvirt-414"}\n\n'), { running: true });
  t.deepEqual(parseReply('query-x', '{"return":[],"id":"libvirt-1"}'), []);
  const error = t.throws(
    () => parseReply('query-foo', '{"id":"libvirt-416","error":{"class":"CommandNotFound","desc":"The command query-foo has not been found"}}\n'),
    { instanceOf: QmpError },
  );
  t.is((error as QmpError).qmpClass, 'CommandNotFound');
  t.is(error?.message, 'query-foo: The command query-foo has not been found');
});

test('what is no reply', (t) => {
  for (const stdout of ['', 'null', '[]', '{"id":1}', '{"error":"x"}', 'error: x']) {
    t.throws(() => parseReply('query-status', stdout), { instanceOf: MonitorLostError }, stdout);
  }
});
