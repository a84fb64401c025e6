/** maps/generated/contract.ts is what the headers and programs of this tree give, compiled here and now. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contractPath, generateContract } from '../../src/btf/generate.js';
import { hostObjectPath, packageRoot } from '../../src/paths.js';
import { withFolder } from '../support/compile.js';
import { needs, testWith } from '../support/require.js';

const compilerTest = testWith(needs.tool('clang'), needs.tool('bpftool'), needs.tool('make'));

compilerTest('the committed contract is fresh', (t) => {
  const text = withFolder((folder) => {
    for (const part of ['bpf', 'maps']) {
      cpSync(join(packageRoot, part), join(folder, part), { recursive: true, filter: (path) => !path.endsWith('.o') && !path.endsWith('.ts') });
    }
    execFileSync('make', ['-C', join(folder, 'bpf'), 'unipath.bpf.o', 'plugin.bpf.o'], { stdio: ['ignore', 'pipe', 'pipe'] });
    return generateContract({ host: join(folder, 'bpf', 'unipath.bpf.o'), plugin: join(folder, 'bpf', 'plugin.bpf.o') });
  });
  t.true(text === readFileSync(contractPath, 'utf8'), 'maps/generated/contract.ts is stale: run npm run gen');
});

const objectTest = testWith(needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'));

objectTest('npm run gen -- --check agrees for the built objects', (t) => {
  const generator = join(import.meta.dirname, '..', '..', 'src', 'btf', 'generate.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [generator, '--check'], { encoding: 'utf8' });
  t.is(status, 0, stderr);
  t.is(stdout, 'maps/generated/contract.ts is fresh\n');
});
