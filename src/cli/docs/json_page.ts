/** docs/json.md: what commands print with -j, from the types that the documents have. Pure but for the compiler, which is loaded for it. */
import ts from 'typescript';

interface Field {
  readonly key: string;
  readonly type: string;
  readonly meaning: string;
}

interface Shape {
  readonly name: string;
  readonly meaning: string;
  readonly fields: readonly Field[];
}

/** Interfaces by their name, and short unions of words. */
interface Types {
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly aliases: ReadonlyMap<string, string>;
}

const commentOf = (node: ts.Node): string => ts.getJSDocCommentsAndTags(node).map((doc) => ts.getTextOfJSDocComment(doc.comment) ?? '').join(' ').replaceAll(/\s+/g, ' ').trim();

/** As a reader of JSON sees it: nothing is written, so nothing is read-only. */
const plain = (type: string): string =>
  type.replaceAll(/\/\*\*.*?\*\//gs, '').replaceAll(/\breadonly /g, '').replaceAll(/Readonly<Record<([^,]+), ([^<>]+)>>/g, '{[$1]: $2}').replaceAll(/\s+/g, ' ').replaceAll(/; }/g, ' }').trim();

const snake = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function fieldsOf(members: ts.NodeArray<ts.TypeElement>, file: ts.SourceFile): Field[] {
  return members.filter(ts.isPropertySignature).map((member) => ({ key: snake(member.name.getText(file)), type: plain(member.type?.getText(file) ?? ''), meaning: commentOf(member) }));
}

/** @param texts of the sources, in which a type is looked for in this order */
export function typesOf(texts: readonly string[]): Types {
  const shapes = new Map<string, Shape>();
  const aliases = new Map<string, string>();
  for (const text of texts) {
    const file = ts.createSourceFile('documents.ts', text, ts.ScriptTarget.ESNext, true);
    for (const node of file.statements) {
      if (ts.isInterfaceDeclaration(node) && !shapes.has(node.name.text)) {
        const above = (node.heritageClauses ?? []).flatMap(({ types }) => types.flatMap(({ expression }) => shapes.get(expression.getText(file))?.fields ?? []));
        shapes.set(node.name.text, { name: node.name.text, meaning: commentOf(node), fields: [...above, ...fieldsOf(node.members, file)] });
      }
      if (ts.isTypeAliasDeclaration(node) && ts.isUnionTypeNode(node.type)) aliases.set(node.name.text, plain(node.type.getText(file)));
    }
  }
  return { shapes, aliases };
}

const NAME = /(?<!')\b[A-Z][A-Za-z]+\b(?!')/g;

/** Aliases spelt out. */
const spelt = (type: string, { aliases }: Types): string => type.replaceAll(NAME, (name) => aliases.get(name) ?? (name === 'NotAcceleratedReason' ? 'reason' : name));

/** Shapes that a text names, and those that they name, as they come. */
function reached(text: string, types: Types, found = new Set<string>()): ReadonlySet<string> {
  for (const [name] of text.matchAll(NAME)) {
    const shape = types.shapes.get(name);
    if (shape === undefined || found.has(name)) continue;
    found.add(name);
    for (const { type } of shape.fields) reached(type, types, found);
  }
  return found;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
const sentence = (text: string): string => (text === '' ? '' : `${text[0]?.toUpperCase()}${text.slice(1)}`);

function table({ name, meaning, fields }: Shape, types: Types): string[] {
  const rows = fields.filter(({ key }) => key !== 'schema').map(({ key, type, meaning: means }) => `| \`${key}\` | \`${cell(spelt(type, types))}\` | ${cell(means)} |`);
  return [`## ${name}`, '', ...(meaning === '' ? [] : [sentence(meaning), '']), '| key | type | meaning |', '|---|---|---|', ...rows, ''];
}

/** @param documents by command, in words in which names of types stand for their tables */
export function jsonPage(documents: Readonly<Record<string, string>>, texts: readonly string[]): string {
  const types = typesOf(texts);
  const shapes = reached(Object.values(documents).join('\n'), types);
  return [
    '# JSON',
    '',
    'Generated from the types of the documents: `npm run docs`. Every command prints with `-j` one document, or one a line; `-p` prints it for reading. Each has a',
    '`schema` number, 1, which is raised when a key goes or changes its meaning; new keys may come at any time. `null` says that there is none, or that it is not',
    'known. `reason` is one of the [reasons](metrics.md#reasons-of-vnics) why a vNIC is not accelerated. With `-t` there is `time`, too. An error is',
    '`{"schema":1,"error":{"code":string,"message":string,"hint":string|null}}`, whatever the command.',
    '',
    '| command | document |',
    '|---|---|',
    ...Object.entries(documents).map(([command, document]) => `| \`unipath ${command}\` | ${cell(document).replaceAll(NAME, (name) => (shapes.has(name) ? `[${name}](#${name.toLowerCase()})` : name))} |`),
    '',
    ...[...shapes].flatMap((name) => table(types.shapes.get(name) ?? { name, meaning: '', fields: [] }, types)),
  ].join('\n').replace(/\n+$/, '\n');
}
