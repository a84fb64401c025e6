/** The files of this project that Node.js reads when it runs: not sources, type declarations or what only builds and tests. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const RUNTIME_FILE = /\.(js|cjs|mjs|json|node)$/;
const NOT_RUNTIME = new Set(['node_modules', 'obj.target', 'deps', 'test', '.deps']);

/** The folders of the packages that run, not those that only build and test. */
export function runtimePackages(root: string): string[] {
  const found = new Set<string>();
  const visit = (folder: string): void => {
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { dependencies?: object };
    for (const name of Object.keys(dependencies)) {
      for (let from = folder; from.startsWith(root); from = dirname(from)) {
        const candidate = join(from, 'node_modules', name);
        if (!existsSync(join(candidate, 'package.json'))) continue;
        if (!found.has(candidate)) {
          found.add(candidate);
          visit(candidate);
        }
        break;
      }
    }
  };
  visit(root);
  return [...found];
}

/** @param skip names of folders besides */
export function runtimeFiles(folder: string, skip: ReadonlySet<string> = new Set()): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return NOT_RUNTIME.has(entry.name) || skip.has(entry.name) ? [] : runtimeFiles(path, skip);
    return RUNTIME_FILE.test(entry.name) ? [path] : [];
  });
}
