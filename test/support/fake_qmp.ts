/**
 * A QMP server of a few lines, for what a real QEMU does only by luck: answers late, in another order, cut in pieces, never.
 * It proves nothing about what QEMU answers, when it sends events, or how its socket treats a second client: it takes any
 * number of clients, and knows no command but qmp_capabilities.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { temporaryFolder } from './control_socket.js';

export interface FakeCommand {
  readonly execute: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly id: number;
  readonly send: (text: string | Buffer) => void;
  /** Answers `value`. */
  readonly answer: (value: unknown) => void;
  readonly refuse: (qmpClass: string, description: string) => void;
  /** The connection breaks. */
  readonly hangUp: () => void;
}

export interface FakeQmpOptions {
  /** What it says first; null: nothing. Default: QEMU's greeting. */
  readonly greeting?: string | null;
  /** Default true. */
  readonly answersCapabilities?: boolean;
  readonly onCommand?: (command: FakeCommand) => void;
}

const GREETING = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}\r\n';

export class FakeQmp {
  readonly #clients = new Set<Socket>();

  private constructor(
    readonly path: string,
    readonly server: Server,
  ) {}

  /** Closed when the test ends. */
  static async start(t: ExecutionContext, options: FakeQmpOptions = {}): Promise<FakeQmp> {
    const path = join(temporaryFolder(t), 'qmp');
    const server = createServer();
    const fake = new FakeQmp(path, server);
    server.on('connection', (socket) => fake.#serve(socket, options));
    await new Promise<void>((resolve) => void server.listen(path, resolve));
    t.teardown(() => fake.stop());
    return fake;
  }

  send(text: string): void {
    for (const client of this.#clients) client.write(text);
  }

  event(name: string, data: object = {}): void {
    this.send(`${JSON.stringify({ timestamp: { seconds: 1_700_000_000, microseconds: 250_000 }, event: name, data })}\r\n`);
  }

  stop(): void {
    for (const client of this.#clients) client.destroy();
    this.server.close();
  }

  #serve(socket: Socket, options: FakeQmpOptions): void {
    this.#clients.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => void this.#clients.delete(socket));
    const greeting = options.greeting === undefined ? GREETING : options.greeting;
    if (greeting !== null) socket.write(greeting);
    let rest = '';
    socket.on('data', (bytes) => {
      const lines = (rest + bytes.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(socket, JSON.parse(line), options);
    });
  }

  #take(socket: Socket, request: Pick<FakeCommand, 'execute' | 'arguments' | 'id'>, options: FakeQmpOptions): void {
    const send = (text: string | Buffer): void => void socket.write(text);
    const answer = (value: unknown): void => send(`${JSON.stringify({ return: value, id: request.id })}\r\n`);
    const refuse = (qmpClass: string, desc: string): void => send(`${JSON.stringify({ id: request.id, error: { class: qmpClass, desc } })}\r\n`);
    if (request.execute === 'qmp_capabilities') {
      if (options.answersCapabilities !== false) answer({});
    } else options.onCommand?.({ ...request, send, answer, refuse, hangUp: () => void socket.destroy() });
  }
}
