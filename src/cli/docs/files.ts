/** Every file of the documentation of commands and configuration, as the definitions say it shall be. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configJsonSchema } from '../../config/json_schema.js';
import { packageRoot } from '../../paths.js';
import { configurationPage } from './configuration.js';
import { daemonManPage } from './daemon_man.js';
import { DOCUMENTS, SOURCES } from './json_documents.js';
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
  // It brings the compiler, which is no part of packages.
  const { jsonPage } = await import('./json_page.js');
  return new Map([
    ['docs/cli.md', markdownOf(reference)],
    ['docs/configuration.md', configurationPage(schema)],
    ['docs/json.md', jsonPage(DOCUMENTS, SOURCES.map((path) => readFileSync(join(packageRoot, path), 'utf8')))],
    ['docs/unipath.schema.json', `${JSON.stringify(schema, null, 2)}\n`],
    ...pages,
  ]);
}
