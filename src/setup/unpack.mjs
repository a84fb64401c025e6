/** A package of Debian for its files alone: downloaded and unpacked into the build folder, not installed. Plain JavaScript, like the set-up it belongs to. */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param {string} name of the package
 * @param {string} folder that it is unpacked into; whatever is there is replaced
 * @param {(unpacked: string) => void} finish checks and completes what was unpacked before it takes the folder's place; throws when it is not as it must be
 * @param {{run: (command: string, args: string[], options?: object) => void}} tools
 * @throws Error when it cannot be had
 */
export function unpackPackage(name, folder, finish, { run }) {
  const unfinished = `${folder}.download`;
  rmSync(unfinished, { recursive: true, force: true });
  const unpacked = join(unfinished, 'unpacked');
  mkdirSync(unpacked, { recursive: true });
  try {
    // As root: its own user cannot write here, and apt would say so.
    run('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', '-qq', name], { cwd: unfinished });
    const file = readdirSync(unfinished).find((each) => each.endsWith('.deb'));
    if (file === undefined) throw new Error(`apt-get downloaded no ${name}`);
    run('dpkg-deb', ['-x', join(unfinished, file), unpacked]);
    finish(unpacked);
    rmSync(folder, { recursive: true, force: true });
    renameSync(unpacked, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}
