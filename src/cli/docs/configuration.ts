/** The keys of the configuration file as one Markdown page, from its JSON Schema. Pure. */
import type { JsonSchema } from '../../config/json_schema.js';

interface Row {
  /** "vnics[].guest.vm" */
  readonly key: string;
  readonly type: string;
  readonly default: string;
  readonly meaning: string;
}

const propertiesOf = (schema: JsonSchema): [string, JsonSchema][] => Object.entries(schema.properties ?? {}) as [string, JsonSchema][];
const choicesOf = (schema: JsonSchema): JsonSchema[] => (schema.anyOf ?? [schema]) as JsonSchema[];
const code = (value: unknown): string => `\`${typeof value === 'string' ? value : JSON.stringify(value).replaceAll('"', '').replaceAll(',', ', ')}\``;

function typeText(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return [...new Set(choicesOf(schema).map(typeText))].join(' or ');
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  if (schema.type === 'array') return `list of ${typeText(schema.items as JsonSchema)}`;
  if (schema.type === 'object') return 'mapping';
  const { minimum, maximum } = schema;
  if (minimum !== undefined && maximum !== undefined) return `${minimum}..${maximum}`;
  return (Array.isArray(schema.type) ? schema.type : [schema.type]).map((type) => TYPE_WORDS[type ?? ''] ?? type).join(' or ');
}

const TYPE_WORDS: Readonly<Record<string, string>> = { string: 'text', number: 'number', integer: 'whole number', boolean: '`true`, `false`' };

/** `one of them`: it makes the one choice what it is, and the other has another. */
type Need = 'must be there' | 'one of them' | null;

function defaultText(schema: JsonSchema, need: Need): string {
  if (need !== null) return need;
  if (schema.default === undefined) return 'absent';
  const isEmpty = typeof schema.default === 'object' && Object.keys(schema.default as object).length === 0;
  return isEmpty ? (Array.isArray(schema.default) ? 'none' : 'as below') : code(schema.default);
}

/** What is below a key, too, in the order of the schema; of a choice the keys of each. */
function rowsOf(schema: JsonSchema, path: string): Row[] {
  const choices = choicesOf(schema);
  const mappings = choices.filter(({ properties }) => properties !== undefined);
  const everyNeeds = (name: string): boolean => mappings.every(({ required }) => required?.includes(name) === true);
  return choices.flatMap((choice) => {
    if (choice.type === 'array') return rowsOf(choice.items as JsonSchema, `${path}[]`);
    const needOf = (name: string): Need => (everyNeeds(name) ? 'must be there' : choice.required?.includes(name) === true ? 'one of them' : null);
    return propertiesOf(choice).flatMap(([name, inner]) => {
      const key = path === '' ? name : `${path}.${name}`;
      const own: Row = { key, type: typeText(inner), default: defaultText(inner, needOf(name)), meaning: inner.description ?? '' };
      return [own, ...rowsOf(inner, key)];
    });
  });
}

const cell = (text: string): string => text.replaceAll('|', '\\|');

function table(rows: readonly Row[], within: string): string[] {
  const key = (row: Row): string => (row.key.startsWith(within) ? row.key.slice(within.length) : row.key);
  return [
    '| key | type | default | meaning |',
    '|---|---|---|---|',
    ...rows.map((row) => `| \`${key(row)}\` | ${cell(row.type)} | ${cell(row.default)} | ${cell(row.meaning)} |`),
    '',
  ];
}

const HEAD = `# Configuration

Generated from the definitions that the file is read by: \`npm run docs\`. The same as a JSON Schema: [unipath.schema.json](unipath.schema.json), or
\`unipath config schema\`; an editor that knows the YAML language server takes it from a first line

\`\`\`yaml
# yaml-language-server: $schema=/usr/share/unipath/unipath.schema.json
\`\`\`

unipathd reads one YAML file (\`--config FILE\`). The shortest that does something:

\`\`\`yaml
adapters:
  - name: nic0
    uplink: eth1
    bridge: br0
    vfs:
      - {port: eth1_0, device: eth1v0}
vnics:
  - {name: web, mac: 52:54:00:00:00:01, adapter: nic0, tap: tap-web, guest: {netns: web}}
\`\`\`

An unknown key is refused, with line, column and the near name; so is a value that cannot be meant, a name that is used twice, an adapter that there
is not. All that is wrong is said at once:

\`\`\`
# unipath config check unipath.yaml
unipath: unipath.yaml:5:5: adapters[0].vf: unknown key; did you mean "vfs"?
unipath.yaml:9:5: vnics[0].adapter: there is no adapter "nic1"; did you mean "nic0"?
\`\`\`

| command | does |
|---|---|
| \`unipath config check FILE\` | says what is wrong with a file; needs no daemon |
| \`unipath config diff FILE\` | says what a file has otherwise than what is in force, and what of it only the next start changes |
| \`unipath config reload\` | has unipathd read its file again (as SIGHUP does); a wrong one is refused, and what is in force stays |
| \`unipath config show\` | prints what is in force, with everything that the file leaves out |

A reload acts on \`adapters\`, \`vnics\`, \`discover\` and \`rss\`; the other keys take effect with the next start. What the operator has said by command
(\`unipath vnic\`, \`unipath rss set\`) goes before the file, until it is taken back.
`;

/** Keys whose lists get a table of their own. */
const SECTIONS: readonly (readonly [key: string, heading: string])[] = [
  ['adapters', 'An adapter'],
  ['vnics', 'A vNIC'],
];

export function configurationPage(schema: JsonSchema): string {
  const rows = rowsOf(schema, '');
  const isBelow = (row: Row, key: string): boolean => row.key.startsWith(`${key}[].`);
  return [
    HEAD,
    '## The file',
    '',
    ...table(rows.filter((row) => !SECTIONS.some(([key]) => isBelow(row, key))), ''),
    ...SECTIONS.flatMap(([key, heading]) => [`## ${heading}`, '', ...table(rows.filter((row) => isBelow(row, key)), `${key}[].`)]),
  ]
    .join('\n')
    .replace(/\n+$/, '\n');
}
