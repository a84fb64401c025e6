/**
 * `npm run gen`: writes maps/generated/contract.ts from the two BPF objects. With --check nothing is written, and the
 * exit code is 1 when the file is not what would be written.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hostObjectPath, packageRoot, pluginObjectPath } from '../paths.js';
import { findElfSection } from './elf.js';
import { emitContract } from './emit.js';
import { type ContractLayout, layoutOf } from './layout.js';
import { parseBtf } from './parse.js';

export const contractPath = join(packageRoot, 'maps', 'generated', 'contract.ts');

function layoutOfFile(objectPath: string): ContractLayout {
  if (!existsSync(objectPath)) throw new Error(`${objectPath} does not exist; run \`make -C bpf\``);
  const btf = findElfSection(readFileSync(objectPath), '.BTF');
  if (btf === null) throw new Error(`${objectPath} has no BTF; it must be compiled with clang -g`);
  return layoutOf(parseBtf(btf));
}

/** The text of contract.ts. @throws when an object is missing, or shares a type that the contract's rules forbid. */
export function generateContract(objects: { readonly host: string; readonly plugin: string }): string {
  return emitContract([
    { name: 'host', layout: layoutOfFile(objects.host) },
    { name: 'plugin', layout: layoutOfFile(objects.plugin) },
  ]);
}

function main(check: boolean): void {
  const text = generateContract({ host: hostObjectPath, plugin: pluginObjectPath });
  const present = existsSync(contractPath) ? readFileSync(contractPath, 'utf8') : '';
  if (text === present) {
    console.log('maps/generated/contract.ts is fresh');
  } else if (check) {
    console.error('maps/generated/contract.ts is stale: run npm run gen');
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(contractPath), { recursive: true });
    writeFileSync(contractPath, text);
    console.log('maps/generated/contract.ts written');
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    main(process.argv.includes('--check'));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
