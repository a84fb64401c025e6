import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { check, NativeError } from '../../src/native/errors.js';
import { readNonBlocking } from '../../src/native/io.js';
import { libc } from '../../src/native/libc.js';
import { libsystemd } from '../../src/native/libsystemd.js';
import { notifyServiceManager, sendToJournal } from '../../src/native/service_manager.js';
import { temporaryFolder } from '../support/control_socket.js';
import { testWith } from '../support/require.js';

const systemdTest = testWith(libsystemd() === null ? 'libsystemd.so.0' : null);
const AF_UNIX = 1;
const SOCK_DGRAM = 2;

/** A socket as systemd listens on it. */
function listenAt(path: string): number {
  const fd = check('socket', libc().socket(AF_UNIX, SOCK_DGRAM | 0o4000, 0));
  const address = Buffer.from(`\x01\0${path}\0`);
  check('bind', libc().bind(fd, address, address.length), path);
  return fd;
}

test.serial('without a service manager nobody is told', (t) => {
  t.is(process.env['NOTIFY_SOCKET'], undefined);
  t.false(notifyServiceManager('READY=1'));
});

systemdTest.serial('the service manager hears it, or it is said why not', (t) => {
  const path = join(temporaryFolder(t), 'notify');
  const fd = listenAt(path);
  t.teardown(() => {
    delete process.env['NOTIFY_SOCKET'];
    libc().close(fd);
  });
  process.env['NOTIFY_SOCKET'] = path;
  t.true(notifyServiceManager('RELOADING=1\nMONOTONIC_USEC=5'));
  const received = Buffer.alloc(100);
  t.is(received.toString('utf8', 0, readNonBlocking(fd, received)), 'RELOADING=1\nMONOTONIC_USEC=5');
  process.env['NOTIFY_SOCKET'] = `${path}.none`;
  t.throws(() => notifyServiceManager('READY=1'), { instanceOf: NativeError, code: 'ENOENT' });
});

const journalless = testWith(libsystemd() === null ? 'libsystemd.so.0' : null, existsSync('/run/systemd/journal/socket') ? 'a machine without a journal' : null);
journalless('a journal that is not there is none that fails', (t) => {
  t.notThrows(() => sendToJournal(new Map([['MESSAGE', 'two\nlines'], ['PRIORITY', '6']])));
});
