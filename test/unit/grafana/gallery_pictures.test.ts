import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { panelsNamed } from '../../../grafana/gallery/model.js';
import { galleryPage } from '../../../grafana/gallery/page.js';
import { sizeOf } from '../../../grafana/gallery/picture.js';
import { packageRoot } from '../../../src/paths.js';

const folder = join(packageRoot, 'docs/gallery');

test('every panel of every dashboard has a picture of its title and its size, and no picture is of one that is gone', (t) => {
  const panels = panelsNamed();
  t.is(new Set(panels.map(({ name }) => name)).size, panels.length);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.svg'));
  t.deepEqual(files.toSorted(), panels.map(({ name }) => `${name}.svg`).toSorted(), 'run: npm run gallery');
  for (const { name, panel } of panels) {
    const text = readFileSync(join(folder, `${name}.svg`), 'utf8');
    const { width, height } = sizeOf(panel);
    t.true(text.startsWith(`<svg width="${width}" height="${height}" `), `${name} has another size now; run: npm run gallery`);
    t.false(text.includes('>No data<'), `${name} shows nothing`);
  }
});

test('docs/gallery.md is fresh, and shows each picture once', (t) => {
  const page = readFileSync(join(packageRoot, 'docs/gallery.md'), 'utf8');
  t.is(page, galleryPage(), 'run: npm run gallery -- --again');
  for (const { name } of panelsNamed()) t.is(page.split(`src="gallery/${name}.svg"`).length, 2, name);
});
