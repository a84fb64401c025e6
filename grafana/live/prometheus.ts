/** A real Prometheus on the loopback, for as long as it is wanted: its configuration and its data are in a folder that is removed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { programPath } from './programs.js';

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Of one moment, or of several. */
  readonly values: readonly (readonly [atSeconds: number, value: number])[];
}

export interface RuleState {
  readonly name: string;
  readonly type: 'alerting' | 'recording';
  readonly health: string;
  readonly lastError?: string;
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: unknown;
}

interface Matrix {
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly value?: readonly [number, string];
    readonly values?: readonly (readonly [number, string])[];
  }[];
}

export interface ScrapeTarget {
  readonly instance: string;
  /** address:port */
  readonly address: string;
  readonly path: string;
}

const START_DEADLINE_MS = 15_000;

export class Prometheus {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(child: ChildProcess, folder: string, address: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = `http://${address}/api/v1`;
  }

  /** Scrapes once a second and evaluates the rules as often. @throws Error with its own words when it does not start */
  static async start(targets: readonly ScrapeTarget[], rulesFile: string): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'unipath-prometheus-'));
    copyFileSync(rulesFile, join(folder, 'rules.yml'));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yml'],
      scrape_configs: [
        {
          job_name: 'unipath',
          static_configs: targets.map(({ instance, address, path }) => ({ targets: [address], labels: { instance, __metrics_path__: path } })),
        },
      ],
    };
    writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
    const options = [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, '--web.listen-address=127.0.0.1:0'];
    // Ends with us, also when we are killed.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', programPath('prometheus'), ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      return new Prometheus(child, folder, await listening(child));
    } catch (error) {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** At one moment, seconds since 1970; default now. @throws Error with Prometheus' words */
  async query(expr: string, atSeconds = Date.now() / 1000): Promise<Series[]> {
    return seriesOf((await this.#get('query', { query: expr, time: String(atSeconds) })) as Matrix);
  }

  /** Once a second, or at other steps. @throws Error with Prometheus' words */
  async queryRange(expr: string, fromSeconds: number, toSeconds: number, stepSeconds = 1): Promise<Series[]> {
    const range = { query: expr, start: String(fromSeconds), end: String(toSeconds), step: String(stepSeconds) };
    return seriesOf((await this.#get('query_range', range)) as Matrix);
  }

  async rules(): Promise<RuleState[]> {
    const { groups } = (await this.#get('rules', {})) as { groups: readonly { rules: readonly RuleState[] }[] };
    return groups.flatMap((group) => group.rules);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.#url}/${path}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as Answer;
    if (answer.status !== 'success') throw new Error(`${parameters['query'] ?? path}: ${answer.error}`);
    return answer.data;
  }
}

const seriesOf = ({ result }: Matrix): Series[] =>
  result.map(({ metric, value, values }) => ({
    labels: metric,
    values: (values ?? (value === undefined ? [] : [value])).map(([at, text]) => [at, Number(text)] as const),
  }));

/** The address that it says it listens on. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const give = (why: string): void => reject(new Error(`prometheus ${why}: ${said.slice(-5).join('\n')}`));
    const timer = setTimeout(() => give('did not listen in time'), START_DEADLINE_MS);
    child.once('error', (error) => give(error.message));
    child.once('close', (code) => give(`ended with ${code}`));
    if (child.stderr === null) return;
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      const [, address] = /msg="Listening on" address=(\S+)/.exec(line) ?? [];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
  });
}
