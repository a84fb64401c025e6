/** Why a file could not be read or written, in words; for all that commands are given as FILE. Pure. */

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EACCES: 'it may not be opened; run as root, or change its mode',
  EISDIR: 'it is a folder; name the file in it',
  ENOSPC: 'there is no room left on its disk',
  EROFS: 'it lies where nothing can be written',
};

/** @param error of node:fs */
export function fileProblem(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return WORDS[code] ?? message;
}
