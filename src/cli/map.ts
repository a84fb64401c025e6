/** `unipath map ...`: what the pinned maps are, how full they are, and what is in them. Changes nothing. */
import type { Command } from 'commander';
import { MAP_NAMES, type MapName } from '../dataplane/loader.js';
import { allMapFacts, entriesOf, type MapFacts, mapFacts, type MapRow, rowsOf } from '../dataplane/map_rows.js';
import { rowText, type TypeLayout } from '../dataplane/map_words.js';
import { unknownName } from '../dataplane/site_names.js';
import type { Context } from './context.js';
import { PINS_OPTION, siteOf } from './site.js';
import type { Cell } from './table.js';

interface PinsOptions {
  readonly pins?: string;
}

const DUMP_NOTES = `
Entries of arrays that are zero throughout are left out, and so are, but for -j, lists and structs in an entry that are. 64-bit numbers beyond
2^53 are hexadecimal digits. What each map is for: maps/README.md.`;

export function registerMap(program: Command, context: (command: Command) => Context): void {
  const map = program.command('map').description('maps that the packet programs and unipathd share; they are only read');
  map
    .command('list')
    .description('type, key, value and size of each; with -d the fields of the structs')
    .option(...PINS_OPTION)
    .action(async (options: PinsOptions, command: Command) => list(context(command), options.pins));
  map
    .command('dump')
    .description('every entry of a map')
    .argument('<map>', 'as `unipath map list` names it')
    .option(...PINS_OPTION)
    .addHelpText('after', DUMP_NOTES)
    .action(async (name: string, options: PinsOptions, command: Command) => dump(context(command), name, options.pins));
  map
    .command('stats')
    .description('how full each is')
    .option(...PINS_OPTION)
    .action(async (options: PinsOptions, command: Command) => stats(context(command), options.pins));
}

const typeText = (layout: TypeLayout | null): string => (layout === null ? '-' : `${layout.type} (${layout.size})`);

function layoutJson(layout: TypeLayout | null): object | null {
  return layout === null ? null : { type: layout.type, size_bytes: layout.size, fields: layout.fields };
}

function factsJson({ name, id, type, key, value, maxEntries }: MapFacts): object {
  return { name, id, type, key: layoutJson(key), value: layoutJson(value), max_entries: maxEntries };
}

async function list(context: Context, pins: string | undefined): Promise<void> {
  const site = await siteOf(context, pins);
  const maps = allMapFacts(site);
  if (context.json) return context.printJson({ folder: site.pins.folder, maps: maps.map(factsJson) });
  if (context.details) return printLayouts(context, maps);
  context.printTable(
    ['MAP', 'TYPE', 'KEY', 'VALUE', 'MAX', 'ID'],
    maps.map(({ name, type, key, value, maxEntries, id }) => [name, type, typeText(key), typeText(value), String(maxEntries), String(id)]),
  );
}

function printLayouts(context: Context, maps: readonly MapFacts[]): void {
  for (const [i, { name, type, key, value, maxEntries, id }] of maps.entries()) {
    if (i > 0) context.printLine('');
    context.printLine(`${name}: ${type}, ${maxEntries} ${key === null ? 'bytes' : 'entries'}, id ${id}`);
    for (const [side, layout] of [['key', key], ['value', value]] as const) {
      if (layout === null) continue;
      context.printLine(`  ${side.padEnd(5)}  ${typeText(layout)}`);
      for (const { name: field, type: of, offset } of layout.fields) context.printLine(`         ${String(offset).padStart(5)}  ${field}  ${of}`);
    }
  }
}

/** @throws CliError that suggests the near name */
function mapNamed(name: string): MapName {
  const found = MAP_NAMES.find((each) => each === name);
  if (found === undefined) throw unknownName('map', name, MAP_NAMES);
  return found;
}

async function dump(context: Context, text: string, pins: string | undefined): Promise<void> {
  const name = mapNamed(text);
  const site = await siteOf(context, pins);
  const facts = mapFacts(site, name);
  const isRing = facts.key === null;
  if (context.json) return context.printJson({ ...factsJson(facts), entries: isRing ? null : Array.from(rowsOf(site, name), rowJson) });
  if (isRing) return context.printLine(`${name} is a ring buffer of ${facts.maxEntries} bytes: what is in it, only its reader sees`);
  const rows = Array.from(rowsOf(site, name), rowCells).flat();
  if (rows.length === 0) return context.printLine(`${name} is empty`);
  const perCpu = rows.some(([, , cpu]) => cpu !== '');
  context.printTable(perCpu ? ['KEY', 'NAME', 'CPU', 'VALUE'] : ['KEY', 'NAME', 'VALUE'], perCpu ? rows : rows.map(([key, who, , value]) => [key, who, value]));
}

function rowJson({ key, name, values }: MapRow): object {
  const [only] = values;
  const value = only !== undefined && only.cpu === null ? { value: only.value } : { values };
  return { key, name, ...value };
}

function rowCells({ key, name, values }: MapRow): [string, string, string, string][] {
  return values.map(({ cpu, value }) => [rowText(key), name ?? '-', cpu === null ? '' : String(cpu), rowText(value)]);
}

const NEARLY_FULL = 0.9;
const HASHES = ['hash', 'percpu_hash', 'devmap_hash'];
/** Of the others every entry is there from the beginning. */
const canBeFull = ({ name, type }: MapFacts): boolean => HASHES.includes(type) || name === 'vnics' || name === 'vnic_slots';

async function stats(context: Context, pins: string | undefined): Promise<void> {
  const site = await siteOf(context, pins);
  const maps = allMapFacts(site).map((facts) => ({ ...facts, entries: entriesOf(site, facts.name) }));
  if (context.json) {
    return context.printJson({ maps: maps.map(({ name, type, entries, maxEntries }) => ({ name, type, entries, max_entries: maxEntries })) });
  }
  context.printTable(
    ['MAP', 'TYPE', 'ENTRIES', 'MAX', 'FULL-%'],
    maps.map((facts) => {
      const { name, type, entries, maxEntries } = facts;
      return [name, type, entries === null ? '-' : String(entries), String(maxEntries), canBeFull(facts) ? fullCell(entries ?? 0, maxEntries) : '-'];
    }),
  );
}

function fullCell(entries: number, maxEntries: number): Cell | string {
  const text = ((entries / maxEntries) * 100).toFixed(1);
  return entries / maxEntries >= NEARLY_FULL ? { text, style: 'busy' } : text;
}
