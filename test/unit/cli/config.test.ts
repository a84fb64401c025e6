import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { configurationPage } from '../../../src/cli/docs/configuration.js';
import { fileFormOf } from '../../../src/config/file_form.js';
import { configJsonSchema, type JsonSchema } from '../../../src/config/json_schema.js';
import { parseConfig } from '../../../src/config/load.js';
import { run } from '../../support/cli.js';
import { fakeDaemon } from '../../support/control_socket.js';

const IN_FORCE = `
adapters: [{name: nic0, uplink: pf0, bridge: br0}]
vnics: [{name: g1, mac: "52:54:00:00:00:01", adapter: nic0, tap: tap-g1, guest: {netns: n1}, policy: software}]
`;

async function daemon(t: ExecutionContext): Promise<{ socket: string; file: (text: string) => string }> {
  const { socket, folder } = await fakeDaemon(t, { config: () => fileFormOf(parseConfig(IN_FORCE, 'F')) });
  const file = (text: string): string => {
    const path = join(folder, 'new.yaml');
    writeFileSync(path, text);
    return path;
  };
  return { socket, file };
}

test('config show is a file that says everything', async (t) => {
  const { socket } = await daemon(t);
  const { code, out } = await run(`-S ${socket} config show`);
  t.is(code, 0);
  t.regex(out, /^# \/.*unipath\.yaml\nsocket: \/run\/unipath\/unipath\.sock\n/);
  t.deepEqual(parseConfig(out, 'F'), parseConfig(IN_FORCE, 'F'));
  t.like(JSON.parse((await run(`-S ${socket} -j config show`)).out), { schema: 1, config: { xdp_mode: 'auto', vnics: [{ name: 'g1', vlan: 0 }] } });
});

test('config diff: nothing, or what a reload and what the next start would change', async (t) => {
  const { socket, file } = await daemon(t);
  t.is((await run(`-S ${socket} config diff ${file(IN_FORCE)}`)).out, 'nothing would change\n');
  const changed = file(`pins: /sys/fs/bpf/x\n${IN_FORCE.replace('policy: software', 'vlan: {access: 7}').replace('[{name: nic0', '[{name: nic1, uplink: pf1, bridge: br1}, {name: nic0')}`);
  t.is(
    (await run(`-S ${socket} config diff ${changed}`)).out,
    [
      'changed pins /sys/fs/bpf/unipath -> /sys/fs/bpf/x (with the next start)',
      'added   adapter nic1',
      'changed vnic g1: vlan 0 -> {"access":7}',
      'changed vnic g1: policy software -> accelerated',
      '',
    ].join('\n'),
  );
  const json = JSON.parse((await run(`-S ${socket} -j config diff ${changed}`)).out) as { changes: object[] };
  t.like(json.changes[0], { change: 'changed', object: null, key: 'pins', takes_effect: 'start' });
  const wrong = await run(`-S ${socket} config diff ${file('adaptors: []')}`);
  t.is(wrong.code, 1);
  t.regex(wrong.err, /new\.yaml:1:1: adaptors: unknown key; did you mean "adapters"\?/);
  t.is((await run(`-S /nowhere/x.sock config diff ${file(IN_FORCE)}`)).code, 3);
});

/** Of every key below, what its schema says. */
function keysOf(schema: JsonSchema): [string, JsonSchema][] {
  const inner = [...Object.values(schema.properties ?? {}), ...(schema.anyOf ?? []), ...(schema.items === undefined ? [] : [schema.items])] as JsonSchema[];
  return [...(Object.entries(schema.properties ?? {}) as [string, JsonSchema][]), ...inner.flatMap(keysOf)];
}

test('the schema has a meaning and a type for every key, refuses others, and is what the command prints', async (t) => {
  const schema = configJsonSchema();
  t.deepEqual(JSON.parse((await run('config schema')).out), JSON.parse(JSON.stringify(schema)));
  const keys = keysOf(schema);
  t.true(keys.length > 35, String(keys.length));
  for (const [key, { description, type, anyOf }] of keys) {
    t.truthy(description, `${key} has no meaning`);
    t.true(type !== undefined || (anyOf?.length ?? 0) > 1, `${key} has no type`);
  }
  t.is(schema.additionalProperties, false);
  const vnic = (schema.properties?.['vnics'] as { items: JsonSchema }).items;
  t.deepEqual(vnic.required, ['name', 'mac', 'adapter', 'guest']);
  t.like(vnic.properties?.['vlan'], { default: 0 });
  const page = configurationPage(schema);
  for (const row of ['| `limits.vfs` | 0..254 | `254` |', '| `guest.vm` | text | one of them |', '| `name` | text | must be there |'])
    t.true(page.includes(row), row);
});
