/** Every file of the commands' documentation, as the definitions say it shall be. */
import { daemonManPage } from './daemon_man.js';
import { manPagesOf } from './man.js';
import { markdownOf } from './markdown.js';
import { referenceOfUnipath } from './reference.js';

/** Below the package's folder. */
export const MAN_FOLDER = 'docs/man';

/** Paths below the package's folder, with their text. */
export async function documentationFiles(): Promise<ReadonlyMap<string, string>> {
  const reference = await referenceOfUnipath();
  const pages = [...manPagesOf(reference), daemonManPage()].map(({ file, text }) => [`${MAN_FOLDER}/${file}`, text] as const);
  return new Map([['docs/cli.md', markdownOf(reference)], ...pages]);
}
