/** Whatever a page of the documentation links to or names as a file is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import test from 'ava';
import { packageRoot } from '../../../src/paths.js';

const FOLDERS = ['.', 'docs', 'bpf', 'maps', 'grafana', 'src'];

/** Of the repository itself, below the package's folder. */
function pages(folder: string): string[] {
  const isTop = folder === '.';
  return readdirSync(join(packageRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return isTop || entry.name === 'node_modules' ? [] : pages(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

const ALL = FOLDERS.flatMap(pages);
const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8');
const withoutFences = (text: string): string => text.replace(/^```[^\n]*\n[\s\S]*?^```$/gm, '');

/** As GitHub and Markdown viewers make them of headings. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  const seen = new Map<string, number>();
  for (const [, heading = ''] of withoutFences(text).matchAll(/^#{1,6} (.+)$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');
    const anchor = plain.trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    anchors.add(times === 0 ? anchor : `${anchor}-${times}`);
  }
  return anchors;
}

interface Link {
  readonly page: string;
  readonly target: string;
}

function linksOf(page: string): Link[] {
  const text = withoutFences(read(page)).replace(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({ page, target })).filter(({ target }) => !/^[a-z]+:/.test(target));
}

/** What is wrong with a link; null: nothing. */
function problemOf({ page, target }: Link): string | null {
  const [file = '', anchor] = target.split('#', 2);
  const path = file === '' ? page : relative(packageRoot, join(packageRoot, dirname(page), file));
  if (path.startsWith('..')) return `${page}: ${target} leads out of the repository`;
  if (!existsSync(join(packageRoot, path))) return `${page}: ${target}: there is no such file`;
  if (anchor !== undefined && !anchorsOf(read(path.endsWith('.md') ? path : join(path, 'README.md'))).has(anchor)) return `${page}: ${target}: there is no such heading`;
  return null;
}

test('every link leads to a file, and to a heading in it', (t) => {
  const links = ALL.flatMap(linksOf);
  t.true(links.length > 40, String(links.length));
  t.deepEqual(links.map(problemOf).filter((problem) => problem !== null), []);
  t.regex(problemOf({ page: 'docs/guest.md', target: 'gest.md' }) ?? '', /no such file/);
  t.regex(problemOf({ page: 'docs/guest.md', target: '#offload' }) ?? '', /no such heading/);
  t.is(problemOf({ page: 'docs/guest.md', target: '#offloads' }), null);
});

test('every page is reached from README', (t) => {
  const reached = new Set<string>();
  const walk = (page: string): void => {
    if (reached.has(page)) return;
    reached.add(page);
    for (const { target } of linksOf(page)) {
      const file = (target.split('#', 1)[0] ?? '').replace(/\/$/, '/README.md');
      if (file.endsWith('.md')) walk(relative(packageRoot, join(packageRoot, dirname(page), file)));
    }
  };
  walk('README.md');
  t.deepEqual(ALL.filter((page) => !reached.has(page)), []);
});

/** What the set-up and the runs make, and what the packets' path in the kernel is called. */
const MADE = /^(build|grafana\/generated)\//;

test('every file that a page names is there', (t) => {
  const named = ALL.flatMap((page) =>
    [...read(page).matchAll(/`((?:docs|src|bpf|maps|grafana|test|build)\/[\w./-]*)`/g)].map(([, path = '']) => ({ page, path })));
  t.true(named.length > 80, String(named.length));
  const missing = named.filter(({ path }) => !MADE.test(path) && !existsSync(join(packageRoot, path)));
  t.deepEqual(missing.map(({ page, path }) => `${page}: ${path}`), []);
});
