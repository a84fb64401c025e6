/** maps/generated/contract.ts is what the headers and programs of this tree give, compiled here and now. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { contractPath, generateContract } from '../../src/btf/generate.js';
import { hostObjectPath, packageRoot, pluginObjectPath } from '../../src/paths.js';
import { withFolder } from '../support/compile.js';
import { needs, testWith } from '../support/require.js';

const compilerTest = testWith(needs.tool('clang'), needs.tool('bpftool'), needs.tool('make'));

compilerTest('the committed contract is fresh', (t) => {
  const text = withFolder((folder) => {
    for (const part of ['bpf', 'maps']) {
      const filter = (path: string) => !path.endsWith('.o') && !path.endsWith('.ts');
      cpSync(join(packageRoot, part), join(folder, part), { recursive: true, filter });
    }
    execFileSync('make', ['-C', join(folder, 'bpf'), 'unipath.bpf.o', 'plugin.bpf.o'], { stdio: ['ignore', 'pipe', 'pipe'] });
    return generateContract({ host: join(folder, 'bpf', 'unipath.bpf.o'), plugin: join(folder, 'bpf', 'plugin.bpf.o') });
  });
  t.true(text === readFileSync(contractPath, 'utf8'), 'maps/generated/contract.ts is stale: run npm run gen');
});

const objectTest = testWith(needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'));
/** Where this file's own build is, two folders up. */
const build = join(import.meta.dirname, '..', '..');

function runGenerator(root: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'src', 'btf', 'generate.js'), ...args], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

objectTest('npm run gen -- --check agrees for the built objects', (t) => {
  t.deepEqual(runGenerator(build, '--check'), { status: 0, output: 'maps/generated/contract.ts is fresh\n' });
});

objectTest('a stale contract fails the check, and is written anew without it', (t) => {
  withFolder((folder) => {
    // A package of its own: the generator takes the folder that has package.json for the root.
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
    for (const part of ['btf', 'paths.js']) cpSync(join(build, 'src', part), join(folder, 'src', part), { recursive: true });
    mkdirSync(join(folder, 'bpf'));
    for (const object of [hostObjectPath, pluginObjectPath]) cpSync(object, join(folder, 'bpf', basename(object)));
    const contract = join(folder, 'maps', 'generated', 'contract.ts');
    t.deepEqual(runGenerator(folder, '--check'), { status: 1, output: 'maps/generated/contract.ts is stale: run npm run gen\n' });
    t.false(existsSync(contract));
    t.deepEqual(runGenerator(folder), { status: 0, output: 'maps/generated/contract.ts written\n' });
    t.is(readFileSync(contract, 'utf8'), generateContract({ host: hostObjectPath, plugin: pluginObjectPath }));
    t.is(runGenerator(folder, '--check').status, 0);
    rmSync(join(folder, 'bpf', basename(pluginObjectPath)));
    t.regex(runGenerator(folder).output, /plugin\.bpf\.o does not exist; run `make -C bpf`/);
  });
});
