import test from 'ava';
import { parseSnapshot, parseUuids, snapshotScript } from '../../../../src/hypervisor/libvirt/snapshot.js';
import { shellLine } from '../../../../src/hypervisor/libvirt/virsh_shell.js';

const A = '00000000-0000-0000-0000-00000000000a';
const B = '00000000-0000-0000-0000-00000000000b';
const xml = (uuid: string): string => `<domain type='qemu' id='1'>\n  <name>d</name><uuid>${uuid}</uuid><devices/>\n</domain>\n`;

test('the script asks for state and XML, and ends with a command that cannot fail', (t) => {
  t.is(
    snapshotScript([A, B], 'm'),
    `domstate ${A} --reason; dumpxml ${A}; echo m; domstate ${B} --reason; dumpxml ${B}; echo m; hostname; echo m end`,
  );
  t.is(snapshotScript([], 'm'), 'hostname; echo m end');
  t.throws(() => snapshotScript(['x; destroy y'], 'm'), { instanceOf: RangeError });
});

test('what comes back is told apart by the mark', (t) => {
  const { domains, problems } = parseSnapshot(`shut off (crashed)\n${xml(A)}MARKrunning\n\n${xml(B)}\nMARKhost\n\nMARK end\n`, [A, B], 'MARK');
  t.deepEqual(problems, []);
  t.like(domains.get(A), { state: 'shut off', stateReason: 'crashed', id: 1 });
  t.like(domains.get(B), { state: 'running', stateReason: '' });
});

test('a domain that went away meanwhile is not there; one that cannot be read is a problem, and only its own', (t) => {
  const { domains, problems } = parseSnapshot(`MARKrunning (booted)\n<domain id='1'><nonsense></domain>MARKhost\nMARK end`, [A, B], 'MARK');
  t.is(domains.size, 0);
  t.is(problems.length, 1);
  t.true(problems[0]?.startsWith(`domain ${B}: `));
});

test('an answer that was broken off is no answer', (t) => {
  for (const stdout of ['', `running (booted)\n${xml(A)}`, `running (booted)\n${xml(A)}MARK`, 'MARK end', `running (booted)\n${xml(A)}MARKMARK end`]) {
    t.throws(() => parseSnapshot(stdout, [A], 'MARK'), { message: /broke off/ }, stdout);
  }
});

test('a domain is gone only when that is all that is wrong', (t) => {
  const gone = `error: failed to get domain '${A}'\nerror: failed to get domain '${A}'\nMARKhost\nMARK end`;
  t.is(parseSnapshot(gone, [A], 'MARK').domains.size, 0);
  const broken = `error: failed to get domain '${A}'\nerror: End of file while reading data: Input/output error\nMARKhost\nMARK end`;
  t.throws(() => parseSnapshot(broken, [A], 'MARK'), { message: /End of file/ });
  const away = `MARKerror: Failed to reconnect to the hypervisor\nMARK end`;
  t.throws(() => parseSnapshot(away, [A], 'MARK'), { message: /broke off.*reconnect/ });
});

test('a whole script for six domains fits a line', (t) => {
  t.not(shellLine([snapshotScript(Array.from({ length: 6 }, () => A), `mark-${'0'.repeat(16)}`)]), null);
});

test('uuids, and nothing else that virsh may print', (t) => {
  t.deepEqual(parseUuids(`${A}\n${B}\n\nerror: x\n`), [A, B]);
});
