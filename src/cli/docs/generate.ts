/** `npm run docs`: writes the documentation of commands and configuration. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../paths.js';
import { documentationFiles, MAN_FOLDER } from './files.js';

const files = await documentationFiles();
mkdirSync(join(packageRoot, MAN_FOLDER), { recursive: true });
for (const page of readdirSync(join(packageRoot, MAN_FOLDER))) {
  if (!files.has(`${MAN_FOLDER}/${page}`)) rmSync(join(packageRoot, MAN_FOLDER, page));
}
for (const [path, text] of files) writeFileSync(join(packageRoot, path), text);
process.stdout.write(`${files.size} files below docs/\n`);
