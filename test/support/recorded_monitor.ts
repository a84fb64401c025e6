/**
 * What a real QEMU once answered, again: for reading answers without a QEMU. It proves nothing about commands that change
 * something, and knows only what was asked when it was recorded; anything else fails the test.
 *
 * A recording has one exchange a line. To make one anew: UNIPATH_RECORD=FOLDER npx ava build/test/qemu/monitor_discover.test.js
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type QemuMonitor, QmpError } from '../../src/hypervisor/qemu/monitor.js';

export interface Exchange {
  readonly execute: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

/** Passes everything on, and keeps it. */
export function recording(monitor: QemuMonitor): { monitor: QemuMonitor; exchanges: Exchange[] } {
  const exchanges: Exchange[] = [];
  const execute: QemuMonitor['execute'] = async (command, args = {}, options = {}) => {
    try {
      const value = await monitor.execute(command, args, options);
      exchanges.push({ execute: command, arguments: args, return: value });
      return value;
    } catch (error) {
      if (error instanceof QmpError) {
        exchanges.push({ execute: command, arguments: args, error: { class: error.qmpClass, desc: error.message.slice(command.length + 2) } });
      }
      throw error;
    }
  };
  return { exchanges, monitor: { name: monitor.name, execute, onEvent: () => () => {}, onEnd: () => () => {}, close: () => {} } };
}

const keyOf = (command: string, args: object): string => JSON.stringify([command, args]);

/** Answers as recorded. `change` may make an answer another one. */
export function replaying(exchanges: readonly Exchange[], change: (exchange: Exchange) => Exchange = (same) => same): QemuMonitor {
  const known = new Map(exchanges.map((exchange) => [keyOf(exchange.execute, exchange.arguments), change(exchange)]));
  return {
    name: 'recorded',
    execute: async (command, args = {}) => {
      const exchange = known.get(keyOf(command, args));
      if (exchange === undefined) throw new Error(`not in the recording: ${keyOf(command, args)}`);
      if (exchange.error !== undefined) throw new QmpError(command, exchange.error.class, exchange.error.desc);
      return structuredClone(exchange.return);
    },
    onEvent: () => () => {},
    onEnd: () => () => {},
    close: () => {},
  };
}

const file = (name: string): URL => new URL(`../../../test/unit/hypervisor/qemu/recorded/${name}.jsonl`, import.meta.url);

export function readRecording(name: string): Exchange[] {
  const lines = readFileSync(file(name), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Exchange);
}

/** Only when UNIPATH_RECORD names a folder. */
export function keepRecording(name: string, exchanges: readonly Exchange[]): void {
  const folder = process.env['UNIPATH_RECORD'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.jsonl`), exchanges.map((exchange) => `${JSON.stringify(exchange)}\n`).join(''));
}
