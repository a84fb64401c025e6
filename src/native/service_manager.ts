/** What a daemon tells whoever started it, and its journal: sd_notify(3) and sd_journal_sendv(3). */
import { check } from './errors.js';
import { ffi } from './ffi.js';
import { libsystemd } from './libsystemd.js';
import { iovec } from './structs.js';

/** A library is missing that a service of systemd needs. */
export class NoLibsystemdError extends Error {
  constructor() {
    super('libsystemd.so.0 cannot be loaded, so systemd is told nothing; install package libsystemd0');
    this.name = 'NoLibsystemdError';
  }
}

/**
 * @param state assignments, one a line, as sd_notify(3) has them: "READY=1"
 * @returns false when nobody wants to know ($NOTIFY_SOCKET is not set)
 * @throws NoLibsystemdError, NativeError when it could not be told
 */
export function notifyServiceManager(state: string): boolean {
  if (process.env['NOTIFY_SOCKET'] === undefined) return false;
  const library = libsystemd();
  if (library === null) throw new NoLibsystemdError();
  return check('sd_notify', library.sd_notify(0, state), process.env['NOTIFY_SOCKET']) > 0;
}

/**
 * One entry of the journal. Values may have several lines.
 * @param fields names of upper-case letters, digits and "_", a letter first
 * @throws NoLibsystemdError, NativeError
 */
export function sendToJournal(fields: ReadonlyMap<string, string>): void {
  const library = libsystemd();
  if (library === null) throw new NoLibsystemdError();
  const pieces = [...fields].map(([name, value]) => Buffer.from(`${name}=${value}`));
  // One buffer for all: C sees its address once.
  const text = Buffer.concat(pieces);
  const vector = Buffer.alloc(pieces.length * iovec.size);
  let address = BigInt(ffi().addressOf(text));
  for (const [i, { length }] of pieces.entries()) {
    vector.writeBigUInt64LE(address, i * iovec.size + iovec.at.iov_base);
    vector.writeBigUInt64LE(BigInt(length), i * iovec.size + iovec.at.iov_len);
    address += BigInt(length);
  }
  check('sd_journal_sendv', library.sd_journal_sendv(vector, pieces.length));
}
