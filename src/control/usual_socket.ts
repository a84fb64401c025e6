/** The socket that is meant when none is named. */
import { accessSync, constants } from 'node:fs';

export const DEFAULT_SOCKET = '/run/unipath/unipath.sock';
/** Where the package has the one for reading. */
export const DEFAULT_READ_SOCKET = '/run/unipath/read/unipath.sock';

/** The one on which everything may be done, unless only the one for reading may be opened. */
export function usualSocket(socket = DEFAULT_SOCKET, readSocket = DEFAULT_READ_SOCKET): string {
  const mayOpen = (path: string): boolean => {
    try {
      accessSync(path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  };
  return !mayOpen(socket) && mayOpen(readSocket) ? readSocket : socket;
}
