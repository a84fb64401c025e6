/** Every file of the documentation of commands and configuration, as the definitions say it shall be. */
import { configJsonSchema } from '../../config/json_schema.js';
import { configurationPage } from './configuration.js';
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
  const schema = configJsonSchema();
  return new Map([
    ['docs/cli.md', markdownOf(reference)],
    ['docs/configuration.md', configurationPage(schema)],
    ['docs/unipath.schema.json', `${JSON.stringify(schema, null, 2)}\n`],
    ...pages,
  ]);
}
