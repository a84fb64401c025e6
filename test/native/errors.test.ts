import test from 'ava';
import { errnoName } from '../../src/native/errno.js';
import { check, isNativeError, NativeError, VerifierError } from '../../src/native/errors.js';
import { summarizeVerifierLog } from '../../src/native/verifier_log.js';

test('a non-negative return value passes', (t) => {
  t.is(check('bpf_obj_get', 0), 0);
  t.is(check('bpf_obj_get', 17), 17);
});

test('a negative one becomes an error that names operation, errno, code and object', (t) => {
  const error = t.throws(() => check('bpf_map_update_elem', -7, 'rows'), { instanceOf: NativeError });
  t.is(error.operation, 'bpf_map_update_elem');
  t.is(error.errno, 7);
  t.is(error.code, 'E2BIG');
  t.is(error.object, 'rows');
  t.is(error.message, 'bpf_map_update_elem (rows) failed: E2BIG');
});

test('errno 524, which no libc header has, and 95, which has two names', (t) => {
  t.is(errnoName(524), 'ENOTSUPP');
  t.is(errnoName(95), 'EOPNOTSUPP');
  t.is(errnoName(11), 'EAGAIN');
  t.is(errnoName(9999), 'E9999');
});

test('the cause is said where the code alone would not tell', (t) => {
  t.regex(t.throws(() => check('bpf_obj_pin', -17, '/sys/fs/bpf/x')).message, /EEXIST: the pin exists already/);
  t.regex(t.throws(() => check('bpf_link_update', -67)).message, /device of this link is gone/);
});

test('isNativeError narrows by code', (t) => {
  const error = new NativeError('bpf_obj_get', 2);
  t.true(isNativeError(error));
  t.true(isNativeError(error, 'ENOENT'));
  t.false(isNativeError(error, 'EBUSY'));
  t.false(isNativeError(new Error('ENOENT'), 'ENOENT'));
});

const log = [
  'func#0 @0',
  '0: R1=ctx() R10=fp0',
  '; __u8 *data = (void *)(long)ctx->data;',
  '0: (61) r2 = *(u32 *)(r1 +0)',
  '; return data[100];',
  '1: (71) r0 = *(u8 *)(r2 +100)',
  'invalid access to packet, off=100 size=1, R2(id=0,off=100,r=0)',
  'R2 offset is outside of the packet',
  'verification time 93 usec',
  'stack depth 0',
  'processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0',
  '',
].join('\n');

test('the last meaningful line of a verifier log comes first, then those before it, then how many were left out', (t) => {
  const lines = summarizeVerifierLog(log).split('\n');
  t.is(lines[0], 'R2 offset is outside of the packet');
  t.is(lines[2], '    ; return data[100];');
  t.is(lines[4], '    invalid access to packet, off=100 size=1, R2(id=0,off=100,r=0)');
  t.is(lines[5], '  (4 earlier lines left out)');
  t.is(lines.length, 6);
});

test('a VerifierError has the whole log', (t) => {
  const error = new VerifierError('bpf_object__load', 13, 'x.bpf.o, program p', log, 'p');
  t.true(error.message.startsWith('bpf_object__load (x.bpf.o, program p) failed: EACCES: R2 offset is outside of the packet\n'));
  t.is(error.log, log);
  t.is(error.program, 'p');
});

test('an empty log says so', (t) => {
  t.is(summarizeVerifierLog(''), 'the verifier left no log');
  t.is(summarizeVerifierLog('processed 3 insns (limit 1000000)\n\0\0'), 'the verifier left no log');
});
