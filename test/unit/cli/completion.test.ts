import { execFile } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import fc from 'fast-check';
import { discoverPfs } from '../../../src/sriov/discover.js';
import { pfName } from '../../../src/sriov/pf_name.js';
import { run } from '../../support/cli.js';
import { fakeDaemon, temporaryFolder } from '../../support/control_socket.js';
import { needs, testWith } from '../../support/require.js';

/** The words that may end this line; what is behind the last space is being typed. */
async function words(line: string): Promise<string[]> {
  const { code, out, err } = await run(['__complete', '--', ...line.split(' ')]);
  if (code !== 0) throw new Error(`${code} ${err}`);
  return out.split('\n').filter(Boolean).map((text) => text.split('\t')[0] ?? '');
}

test('commands, what is below them, options, and what an option may say', async (t) => {
  const commands = await words('');
  for (const command of ['status', 'vnic', 'explain', 'completion', 'lab']) t.true(commands.includes(command), command);
  t.false(commands.some((word) => word.startsWith('_') || word === 'help'));
  t.deepEqual(await words('vn'), ['vnic']);
  t.deepEqual(await words('config '), ['check', 'show', 'diff', 'schema', 'reload']);
  t.deepEqual(await words('-j config re'), ['reload']);
  t.deepEqual(await words('status --w'), ['--wait']);
  t.deepEqual(await words('status --js'), ['--json']);
  t.deepEqual(await words('lab run --q'), ['--quick']);
  t.deepEqual(await words('completion '), ['bash', 'zsh', 'fish']);
  t.deepEqual(await words('completion bash '), []);
  t.deepEqual(await words('nothing of this kind '), []);
  t.deepEqual(await words('top --sort '), ['pps', 'bps', 'drops', 'imbalance', 'name']);
  t.deepEqual(await words('capture --reason redirect_rs'), ['redirect_rss']);
  t.deepEqual(await words('capture --verdict drop,p'), ['drop,pass']);
  t.deepEqual(await words('capture --verdict=drop,p'), ['--verdict=drop,pass']);
  t.deepEqual(await words('flow explain --from '), ['wire', 'guest']);
  t.deepEqual(await words('adapter setup eth0 --driver v'), ['vfio-pci']);
  t.deepEqual(await words('adapter vf eth0 0 --trust '), ['on', 'off']);
  t.deepEqual(await words('rss set --types tcp_ipv4,udp_'), ['tcp_ipv4,udp_ipv4', 'tcp_ipv4,udp_ipv6']);
  t.deepEqual(await words('lab up --guests '), ['netns', 'qemu']);
});

test('names from the daemon whose socket the line names', async (t) => {
  const { socket } = await fakeDaemon(t, {
    vms: {
      status: () => ({ vms: [{ name: 'web', run_state: 'running', migration: null, version: '7.2', nics: [], free_ports: [], vnics: [] }], problems: {} }),
      ...{ receive: async () => undefined, cancel: async () => undefined, migrate: () => new Promise(() => undefined) },
    },
  });
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['vnic show ', ['g1', 'g2']],
    ['vnic software g2', ['g2']],
    ['vnic software g1 ', []],
    ['explain ', ['g1', 'g2']],
    ['rss set ', ['g1', 'g2']],
    ['adapter show ', ['nic0']],
    ['vm migrate ', ['web']],
    ['flow copy --vm ', ['web']],
    ['monitor --vnic ', ['g1', 'g2']],
    ['monitor --vnic=', ['--vnic=g1', '--vnic=g2']],
    // As bash splits it.
    ['monitor --vnic =', ['g1', 'g2']],
    ['monitor --vnic = g', ['g1', 'g2']],
    ['capture --interface ', ['pf0', 'tap-g1', 'vfp0', 'tap-g2']],
  ];
  for (const [line, found] of rows) {
    t.deepEqual(await words(`-S ${socket} ${line}`), found, line);
    t.deepEqual(await words(`--socket=${socket} ${line}`), found, line);
  }
});

test('PFs come from the machine, and need no daemon', async (t) => {
  t.deepEqual(await words('-S /nonexistent/x.sock adapter setup '), (await discoverPfs()).map(pfName));
});

test('files where files are wanted; nothing at all where there is no daemon', async (t) => {
  for (const line of ['config check ', '-S ', 'capture --write ', 'guest check --pins ']) t.deepEqual(await words(line), [':files'], line);
  t.deepEqual(await words('-S /nonexistent/x.sock vnic show '), []);
});

test('whatever is typed, completing it succeeds', async (t) => {
  const word = fc.constantFrom('', '-', '--', '=', '-j', '-S', '/nonexistent/s', '--vnic', '--wait=', 'vnic', 'show', 'g1', 'completion', 'adapter', 'setup', 'config', 'check', ':', '\t', '--nothing=x');
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (typed) => {
      const { code, err } = await run(['__complete', '--', '-S', '/nonexistent/s', ...typed]);
      return code === 0 && err === '';
    }),
    { numRuns: 100 },
  );
  t.pass();
});

test('a shell that is not known is refused', async (t) => {
  const { code, err } = await run('completion tcsh');
  t.is(code, 2);
  t.regex(err, /Allowed choices are bash, zsh, fish/);
});

function output(command: string, args: readonly string[], path = ''): Promise<string> {
  const env = { ...process.env, PATH: `${path}:${process.env['PATH'] ?? ''}` };
  return new Promise((resolve, reject) => execFile(command, [...args], { env }, (error, out, err) => (error === null ? resolve(out) : reject(new Error(`${error.message}${err}`)))));
}

testWith(needs.tool('bash'))('in a real bash: names, and what is below a command', async (t) => {
  const { socket } = await fakeDaemon(t);
  const folder = temporaryFolder(t);
  const program = fileURLToPath(new URL('../../../src/cli.js', import.meta.url));
  writeFileSync(join(folder, 'unipath'), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  chmodSync(join(folder, 'unipath'), 0o755);
  const script = `
    set -eu
    source <(unipath completion bash)
    complete -p unipath
    type() { COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _unipath; echo "\${COMPREPLY[*]}"; }
    type unipath -S ${socket} vnic show g
    type unipath -S ${socket} capture --vnic = ''
    type unipath -S ${socket} config c`;
  t.is(await output('bash', ['--norc', '-c', script], folder), 'complete -F _unipath unipath\ng1 g2\ng1 g2\ncheck\n');
});

for (const shell of ['zsh', 'fish'] as const) {
  testWith(needs.tool(shell))(`${shell} takes the script`, async (t) => {
    const file = join(temporaryFolder(t), 'script');
    writeFileSync(file, (await run(`completion ${shell}`)).out);
    t.is(await output(shell, ['-n', file]), '');
  });
}
