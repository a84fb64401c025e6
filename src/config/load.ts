/** Reads the configuration file. An error names file, line, column and field of everything that is wrong, not only of the first. */
import { readFile } from 'node:fs/promises';
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type { $ZodIssue } from 'zod/v4/core';
import type { Desired } from '../core/model.js';
import { nearName } from '../core/near_name.js';
import { checkConfig, fieldName, type Problem } from './check.js';
import { type ConfigFile, configSchema, type HypervisorFile, knownKeys } from './schema.js';

/** What is not about adapters, vNICs and RSS. A change of these takes effect with the next start. */
export interface Settings {
  readonly socket: string;
  /** On which nothing can be changed; null: none. */
  readonly readSocket: string | null;
  /** Folder on a bpffs. */
  readonly pins: string;
  readonly metricsListen: { readonly host: string; readonly port: number } | null;
  /** A power of two. */
  readonly flowsPerVnic: number;
  readonly xdpMode: 'auto' | 'native' | 'generic';
  /** Folder of what was before, which outlives a reboot. */
  readonly state: string;
  /** So many times longer than usual guests may take to take a VF, or let go of it. */
  readonly patience: number;
  /** Where virtual machines are found. */
  readonly hypervisors: readonly HypervisorFile[];
}

export interface Config {
  readonly settings: Settings;
  readonly desired: Desired;
}

export interface LocatedProblem {
  /** From 1; 0 when it is about the file as a whole. */
  readonly line: number;
  readonly column: number;
  /** "vnics[0].mac"; empty when it is about the file as a whole. */
  readonly field: string;
  readonly message: string;
}

/** The configuration cannot be used. `message` has one line per problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(
    readonly file: string,
    readonly problems: readonly LocatedProblem[],
  ) {
    super(problems.map((problem) => describe(file, problem)).join('\n'));
  }
}

function describe(file: string, { line, column, field, message }: LocatedProblem): string {
  return `${line === 0 ? file : `${file}:${line}:${column}`}: ${field === '' ? '' : `${field}: `}${message}`;
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file; write one, or name another',
  EACCES: 'may not be read; run as root, or change its mode',
  EISDIR: 'is a folder; name the file in it',
};

/** @throws ConfigError */
export async function loadConfig(file: string): Promise<Config> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new ConfigError(file, [{ line: 0, column: 0, field: '', message: FILE_ERRORS[code] ?? message }]);
  }
  return parseConfig(text, file);
}

/** @throws ConfigError */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.map((error) => ({ ...at(error.pos[0]), field: '', message: error.message })),
    );
  }
  if (!isMap(document.contents)) {
    const message = 'must be a mapping with the keys adapters and vnics';
    throw new ConfigError(file, [
      { line: 1, column: 1, field: '', message: document.contents === null ? `is empty; it ${message}` : message },
    ]);
  }

  let value: unknown;
  try {
    value = toValue(document);
  } catch (error) {
    // Aliases that name nothing, or multiply beyond measure.
    throw new ConfigError(file, [{ line: 0, column: 0, field: '', message: (error as Error).message }]);
  }
  const parsed = configSchema.safeParse(value);
  const problems = parsed.success ? checkConfig(parsed.data) : parsed.error.issues.flatMap((issue) => problemsOf(issue, value));
  if (problems.length > 0) {
    const located = problems.map((problem) => ({
      ...at(offsetOf(document, problem)),
      field: fieldName(problem.path),
      message: problem.message,
    }));
    located.sort((a, b) => a.line - b.line || a.column - b.column);
    throw new ConfigError(file, located);
  }
  return toConfig(parsed.data as ConfigFile);
}

/** A key of 80 decimal digits is text, though YAML takes it for a number and rounds it. */
function toValue(document: Document): unknown {
  const value = document.toJS() as Record<string, unknown>;
  const key = document.getIn(['rss', 'key'], true);
  if (isScalar(key) && typeof key.value === 'number' && key.source !== undefined) (value['rss'] as Record<string, unknown>)['key'] = key.source;
  return value;
}

/** Where the value of a path is, or its key; of a key that is missing, the mapping in which it is missing. */
function offsetOf(document: Document, { path, ofKey }: Problem): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (ofKey !== true && isNode(node) && node.range) return node.range[0];
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    if (!isMap(parent)) continue;
    const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === path[length - 1]);
    if (pair !== undefined && isNode(pair.key) && pair.key.range) return pair.key.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, step) => (inner as Readonly<Record<PropertyKey, unknown>> | null | undefined)?.[step], value);
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  null: 'nothing',
};

function typeWord(value: unknown): string {
  return TYPE_WORDS[value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value] ?? typeof value;
}

/** One issue of the schema in words. */
function problemsOf(issue: $ZodIssue, root: unknown): readonly Problem[] {
  const path = issue.path;
  const value = valueAt(root, path);
  const one = (message: string): readonly Problem[] => [{ path, message }];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const near = nearName(key, knownKeys(path));
        const advice = near === null ? `known are: ${knownKeys(path).join(', ')}` : `did you mean "${near}"?`;
        return { path: [...path, key], message: `unknown key; ${advice}`, ofKey: true };
      });
    case 'invalid_type': {
      if (value === undefined) return one('is missing');
      if (issue.expected === 'int' && typeof value === 'number') return one(`${value} is not a whole number`);
      const quote = issue.expected === 'string' && typeof value !== 'object' ? '; put it in quotes' : '';
      return one(`must be ${TYPE_WORDS[issue.expected] ?? issue.expected}, not ${typeWord(value)}${quote}`);
    }
    case 'invalid_union':
      return one(value === undefined ? 'is missing' : `must be text, not ${typeWord(value)}`);
    case 'invalid_value': {
      if (value === undefined) return one('is missing');
      const near = typeof value === 'string' ? nearName(value, issue.values.map(String)) : null;
      const choices = issue.values.map(String).join(', ');
      return one(`${JSON.stringify(value)} is none of: ${choices}${near === null ? '' : `; did you mean "${near}"?`}`);
    }
    case 'too_small':
      return one(`${String(value)} is too small: at least ${issue.minimum}`);
    case 'too_big':
      return one(`${String(value)} is too large: at most ${issue.maximum}`);
    default:
      return one(issue.message);
  }
}

function toConfig(file: ConfigFile): Config {
  return {
    settings: {
      socket: file.socket,
      readSocket: file.read_socket ?? null,
      pins: file.pins,
      metricsListen: file.metrics?.listen ?? null,
      flowsPerVnic: file.flows_per_vnic,
      xdpMode: file.xdp_mode,
      state: file.state,
      patience: file.patience,
      hypervisors: file.hypervisors,
    },
    desired: {
      adapters: file.adapters.map(({ limits: { per_pf, ...limits }, quota = null, placement, idle_seconds, ...rest }) => ({
        ...rest,
        limits,
        rules: { placement, perPf: per_pf, quota, idleMs: idle_seconds * 1000 },
      })),
      quotas: file.quotas,
      discover: file.discover ?? null,
      vnics: file.vnics.map(({ max_rate = null, cut_through, guest, vlan, addresses, reta, tap, vf, quota = null, priority, numa_node = null, ...rest }) => ({
        ...rest,
        ...vlan,
        tap: tap ?? '',
        guest: guest.kind === 'vm' ? { ...guest, mac: rest.mac } : guest,
        addresses: addresses ?? null,
        maxRate: max_rate,
        terms: { quota, priority, numaNode: numa_node },
        cutThrough: cut_through,
        weights: reta,
        ...(vf === undefined ? {} : { vf }),
      })),
      rss: { key: file.rss.key, hashTypes: file.rss.hash_types },
    },
  };
}
