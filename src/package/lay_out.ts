/** The files of the package in a folder, as they will be on a host. */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { contentOf, type PackageFile } from './tree.js';

export interface PackageOptions {
  /** Default: that of this project. */
  readonly version?: string;
  /** The file to make; default below build/. */
  readonly target?: string;
  /** xz (default) is small; none is quick. */
  readonly compression?: 'xz' | 'none';
  /** That goes along; default: the one that runs this. */
  readonly node?: string;
}

/** When it was made, by reproducible-builds.org's convention. */
export const buildDate = (): Date => new Date(Number(process.env['SOURCE_DATE_EPOCH'] ?? Date.now() / 1000) * 1000);

/** Of the C library that the addons were linked with. */
export const glibcVersion = (): string => (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime ?? '2.36';

/** @returns md5sum(1) of each. @throws Error when something has not been built */
export function layOutFiles(folder: string, files: readonly PackageFile[]): string {
  return files.map((file) => {
    if ('file' in file.source && !existsSync(file.source.file)) throw new Error(`${file.source.file} is not there: run \`npm run build\``);
    const content = file.isCompressed === true ? gzipSync(contentOf(file), { level: 9 }) : contentOf(file);
    const to = join(folder, file.to);
    mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
    writeFileSync(to, content);
    chmodSync(to, file.isExecutable === true ? 0o755 : 0o644);
    return `${createHash('md5').update(content).digest('hex')}  ${file.to.slice(1)}\n`;
  }).join('');
}
