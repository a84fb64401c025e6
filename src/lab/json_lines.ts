/**
 * How the lab talks to its processes: one JSON object per line. A request is {"id", "command", ...}; its reply repeats the id
 * with "ok": true and the result's keys, or "ok": false and "error". A line with "event" comes unasked.
 * The channel is stdin and stdout, or a unix socket for a process that outlives the one that started it.
 */
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** Commands by name, each with what it takes and what it answers. Neither has a key "id", "command", "ok" or "error": those are ours. */
export type Protocol = Readonly<Record<string, { readonly request: object; readonly reply: object }>>;

export type Handlers<P extends Protocol> = {
  readonly [K in keyof P]: (request: P[K]['request']) => P[K]['reply'] | Promise<P[K]['reply']>;
};

export interface ServeOptions {
  /** Path of a unix socket to listen on; null serves stdin and stdout. */
  readonly socketPath: string | null;
  /** Without a socket: whoever started this process closed its stdin or is gone. */
  readonly onEnd: () => void;
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function answer<P extends Protocol>(handlers: Handlers<P>, line: string): Promise<object> {
  let id: unknown = null;
  try {
    const request = JSON.parse(line) as Record<string, unknown>;
    id = request['id'] ?? null;
    const command = String(request['command']);
    const handler = Object.hasOwn(handlers, command) ? handlers[command] : undefined;
    if (handler === undefined) throw new Error(`unknown command "${command}"; there are: ${Object.keys(handlers).join(', ')}`);
    return { ...(await handler(request)), id, ok: true };
  } catch (error) {
    return { id, ok: false, error: describe(error) };
  }
}

/** Answers the requests of one channel, one after the other, in order. */
function serveChannel<P extends Protocol>(handlers: Handlers<P>, input: Readable, output: Writable, onEnd: () => void): void {
  let last = Promise.resolve();
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    last = last.then(async () => {
      const reply = await answer(handlers, line);
      if (output.writable) output.write(`${JSON.stringify(reply)}\n`);
    });
  });
  lines.on('close', () => void last.then(onEnd));
}

/** Returns when requests are accepted. @throws when the socket cannot be made. */
export async function serveJsonLines<P extends Protocol>(handlers: Handlers<P>, options: ServeOptions): Promise<void> {
  const { socketPath } = options;
  if (socketPath === null) {
    // A reader that went away ends this process by the end of stdin, not by a signal in the middle of a write.
    process.stdout.on('error', () => {});
    serveChannel(handlers, process.stdin, process.stdout, options.onEnd);
    return;
  }
  rmSync(socketPath, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => {});
    serveChannel(handlers, socket, socket, () => socket.end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
}

/** A line that nobody asked for, on stdout. */
export function emitEvent(event: string, fields: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, monotonic_ms: monotonicMs(), ...fields })}\n`);
}

/** CLOCK_MONOTONIC in milliseconds. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

export type EventLine = Readonly<Record<string, unknown>> & { readonly event: string };

/** The other side of the channel. */
export class JsonLineClient<P extends Protocol> {
  readonly #output: Writable;
  readonly #waiting = new Map<number, { resolve: (reply: object) => void; reject: (error: Error) => void }>();
  #nextId = 1;
  #ended: string | null = null;

  /** @param name what it talks to, for messages */
  constructor(
    readonly name: string,
    input: Readable,
    output: Writable,
    onEvent: (event: EventLine) => void = () => {},
  ) {
    this.#output = output;
    output.on('error', () => {});
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('line', (line) => this.#receive(line, onEvent));
    lines.on('close', () => this.fail('it went away'));
  }

  /** Talks to a process that serves a unix socket. */
  static async connect<P extends Protocol>(name: string, socketPath: string): Promise<JsonLineClient<P>> {
    const socket = connect(socketPath);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    return new JsonLineClient<P>(name, socket, socket);
  }

  /** @throws Error with the other side's words, when it goes away, or after timeoutMs */
  async request<K extends keyof P & string>(command: K, body: P[K]['request'], timeoutMs = 10_000): Promise<P[K]['reply']> {
    if (this.#ended !== null) throw new Error(`${this.name}: ${command}: ${this.#ended}`);
    const id = this.#nextId++;
    const reply = new Promise<object>((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`${this.name}: ${command}: no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.set(id, {
        resolve: (value) => {
          clearTimeout(deadline);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(deadline);
          reject(new Error(`${this.name}: ${command}: ${error.message}`));
        },
      });
    });
    this.#output.write(`${JSON.stringify({ ...body, id, command })}\n`);
    return (await reply) as P[K]['reply'];
  }

  /** Ends the channel; a process on stdin and stdout ends with it. */
  end(): void {
    this.#output.end();
  }

  /** Every request that waits, and every later one, fails with these words. */
  fail(reason: string): void {
    this.#ended ??= reason;
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
    this.#waiting.clear();
  }

  #receive(line: string, onEvent: (event: EventLine) => void): void {
    let message: Record<string, unknown>;
    try {
      message = JSON.parse(line) as Record<string, unknown>;
    } catch {
      onEvent({ event: 'unreadable', line });
      return;
    }
    if (typeof message['event'] === 'string') {
      onEvent(message as EventLine);
      return;
    }
    const { id, ok, error, ...result } = message;
    const waiting = this.#waiting.get(id as number);
    this.#waiting.delete(id as number);
    if (ok === true) waiting?.resolve(result);
    else waiting?.reject(new Error(String(error)));
  }
}
