#!/usr/bin/env node
/** `npm run gallery`: a picture of every panel of every dashboard, of labs that are made for it, and the page that shows them. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { abortOnSignal } from '../../src/lab/interrupt.js';
import { GUEST_KINDS, type GuestKind, parseGuestKind } from '../../src/lab/model.js';
import { progressOn } from '../../src/lab/run/progress.js';
import { packageRoot } from '../../src/paths.js';
import { panelsNamed, type Recording } from './model.js';
import { galleryPage } from './page.js';
import { pictureOf } from './picture.js';
import { record } from './record.js';

const DOCS = join(packageRoot, 'docs');
/** Guests of QEMU migrate, and hear on one path only; network namespaces have queues, and flows that are learnt. */
const labOfDashboard = (dashboard: string): GuestKind => (dashboard === 'migration' && existsSync(fileOf('qemu')) ? 'qemu' : 'netns');
const fileOf = (kind: GuestKind): string => join(packageRoot, `build/gallery-${kind}.json`);

async function recordAnew(kinds: readonly GuestKind[]): Promise<void> {
  const progress = progressOn(process.stderr);
  const { signal, stop } = abortOnSignal();
  try {
    for (const kind of kinds) writeFileSync(fileOf(kind), JSON.stringify(await record(kind, progress, signal)));
  } finally {
    progress.end();
    stop();
  }
}

/** Replaces every picture there is. */
function draw(): void {
  const recordings = new Map(GUEST_KINDS.filter((kind) => existsSync(fileOf(kind))).map((kind) => [kind, JSON.parse(readFileSync(fileOf(kind), 'utf8')) as Recording]));
  rmSync(join(DOCS, 'gallery'), { recursive: true, force: true });
  for (const { name, dashboard, panel } of panelsNamed()) {
    const recording = recordings.get(labOfDashboard(dashboard));
    if (recording === undefined) throw new Error(`nothing was recorded for ${dashboard}`);
    const file = join(DOCS, 'gallery', `${name}.svg`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, pictureOf(panel, recording.panels[name] ?? [], recording));
  }
  writeFileSync(join(DOCS, 'gallery.md'), galleryPage());
}

const program = new Command('gallery')
  .description('Draws every panel of every dashboard from what a real Prometheus has of labs, which it makes and removes.')
  .option('--guests <kind>', 'record only the lab with guests of this kind (netns, qemu) anew', parseGuestKind)
  .option('--again', 'record nothing, and draw what was recorded last')
  .action(async ({ guests, again = false }: { guests?: GuestKind; again?: boolean }) => {
    if (!again) await recordAnew(guests === undefined ? GUEST_KINDS : [guests]);
    if (!existsSync(fileOf('netns'))) throw new Error('there is no recording yet: npm run gallery -- --guests netns');
    draw();
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(`gallery: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
