/**
 * Talks QMP with one running QEMU over its unix socket. Source: QEMU's docs/interop/qmp-spec.rst.
 *
 * `QmpClient.connect(path)` returns a monitor that is ready for commands, or throws MonitorConnectError whose message says
 * what to do. Times are milliseconds. Whoever connects looks at QEMU's state afterwards; events from before that are not kept.
 * A monitor listener must not throw.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LineSplitter } from './line_splitter.js';
import { MonitorLostError, type QemuMonitor, QmpError, type QmpEvent } from './monitor.js';

export interface QmpConnectOptions {
  /** For connection, greeting and capabilities together. Default 5000. */
  readonly deadlineMs?: number;
  /** Default 16 MiB: QEMU's longest answers (query-qmp-schema) have some 200 KiB. */
  readonly maxLineBytes?: number;
}

/** absent: no such socket; refused: nobody listens; denied: no permission; busy: another client; not_qmp: speaks something else. */
export type ConnectProblem = 'absent' | 'refused' | 'denied' | 'busy' | 'not_qmp' | 'other';

/** There is no talking to this QEMU now; the message says what to do. Nothing was asked of it. */
export class MonitorConnectError extends Error {
  override readonly name = 'MonitorConnectError';

  constructor(
    readonly problem: ConnectProblem,
    message: string,
  ) {
    super(message);
  }
}

/** QEMU's socket has room for one client and one that waits; the next is turned away at once. */
class BacklogFull extends MonitorConnectError {}

const BACKLOG_PAUSE_MS = 50;
const DEFAULT_DEADLINE_MS = 5_000;
const DEFAULT_MAX_LINE_BYTES = 16 << 20;

const busyText = (path: string): string =>
  `${path} accepts no further client: a QMP socket serves one at a time, and somebody else probably holds this one ` +
  `(libvirt, a script). Give QEMU a second one for unipath: -qmp unix:PATH,server=on,wait=off`;

const notQmp = (path: string, why: string): MonitorConnectError =>
  new MonitorConnectError('not_qmp', `${path} is no QMP monitor with one JSON object a line (${why}); name one made by -qmp unix:PATH,server=on,wait=off`);

/** @param code errno's name, as Node has it. A unix socket whose backlog is full answers EAGAIN. */
function connectProblem(path: string, code: string): MonitorConnectError {
  switch (code) {
    case 'ENOENT':
      return new MonitorConnectError('absent', `there is no socket ${path}; is QEMU running, and with -qmp unix:${path},server=on,wait=off?`);
    case 'ECONNREFUSED':
      return new MonitorConnectError('refused', `nobody listens on ${path}: the QEMU that made it has ended`);
    case 'EACCES':
    case 'EPERM':
      return new MonitorConnectError('denied', `${path} may not be opened; run as root, or as a user who may`);
    case 'EAGAIN':
      return new BacklogFull('busy', busyText(path));
    default:
      return new MonitorConnectError('other', `${path}: ${code}`);
  }
}

type Message = Readonly<Record<string, unknown>>;

function asObject(value: unknown): Message | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Message) : null;
}

/** null unless the line is one JSON object. */
function parseMessage(line: string): Message | null {
  try {
    return asObject(JSON.parse(line));
  } catch {
    return null;
  }
}

/** null when the message is no event. */
function parseEvent(message: Message): QmpEvent | null {
  const name = message['event'];
  if (typeof name !== 'string') return null;
  const { seconds, microseconds } = asObject(message['timestamp']) ?? {};
  // QEMU writes -1 when it could not read its clock.
  const known = typeof seconds === 'number' && typeof microseconds === 'number' && seconds >= 0;
  return { name, data: asObject(message['data']) ?? {}, timeMs: known ? seconds * 1000 + microseconds / 1000 : Date.now() };
}

interface Waiting {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class QmpClient implements QemuMonitor {
  readonly name: string;
  readonly #socket: Socket;
  readonly #lines: LineSplitter;
  readonly #waiting = new Map<number, Waiting>();
  readonly #eventListeners = new Set<(event: QmpEvent) => void>();
  readonly #endListeners = new Set<(why: string) => void>();
  #nextId = 1;
  /** Why it ended; null while it lives. */
  #ended: string | null = null;
  /** Waits for QEMU's first line; null once that came. */
  #onGreeting: ((problem: MonitorConnectError | null) => void) | null = null;

  private constructor(path: string, socket: Socket, maxLineBytes: number) {
    this.name = path;
    this.#socket = socket;
    this.#lines = new LineSplitter(maxLineBytes);
  }

  /** @throws MonitorConnectError */
  static async connect(path: string, options: QmpConnectOptions = {}): Promise<QmpClient> {
    const latest = performance.now() + (options.deadlineMs ?? DEFAULT_DEADLINE_MS);
    for (;;) {
      const client = new QmpClient(path, connect(path), options.maxLineBytes ?? DEFAULT_MAX_LINE_BYTES);
      try {
        await client.#greeted(latest - performance.now());
        await client.execute('qmp_capabilities', {}, { deadlineMs: Math.max(1, latest - performance.now()) });
        return client;
      } catch (error) {
        client.close();
        if (error instanceof BacklogFull && performance.now() + BACKLOG_PAUSE_MS < latest) {
          // Those in front of us may be gone already: QEMU has yet to notice.
          await sleep(BACKLOG_PAUSE_MS);
          continue;
        }
        if (error instanceof MonitorConnectError) throw error;
        throw new MonitorConnectError('other', `${path} gave a greeting but no more: ${(error as Error).message}`);
      }
    }
  }

  execute(command: string, args: Readonly<Record<string, unknown>> = {}, options: { readonly deadlineMs?: number } = {}): Promise<unknown> {
    const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    return new Promise((resolve, reject) => {
      if (this.#ended !== null) {
        reject(new MonitorLostError(`${command}: ${this.#ended}`));
        return;
      }
      const id = this.#nextId++;
      const line = `${JSON.stringify({ execute: command, arguments: args, id })}\n`;
      const timer = setTimeout(() => {
        // Its answer may still come; nobody waits for it then, and it is dropped.
        this.#waiting.delete(id);
        reject(new MonitorLostError(`${command}: ${this.name} did not answer within ${Math.round(deadlineMs)} ms`));
      }, deadlineMs);
      const settled = <T>(settle: (value: T) => void): ((value: T) => void) => {
        return (value) => {
          clearTimeout(timer);
          settle(value);
        };
      };
      this.#waiting.set(id, { command, resolve: settled(resolve), reject: settled(reject) });
      this.#socket.write(line);
    });
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => void this.#eventListeners.delete(listener);
  }

  /** Also called, once, when the connection had ended before. */
  onEnd(listener: (why: string) => void): () => void {
    this.#endListeners.add(listener);
    if (this.#ended !== null) queueMicrotask(() => this.#tellEnd());
    return () => void this.#endListeners.delete(listener);
  }

  close(): void {
    this.#end(`${this.name}: closed by us`);
  }

  /** Resolves with QEMU's first line. */
  #greeted(deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#onGreeting?.(new MonitorConnectError('busy', busyText(this.name))), deadlineMs);
      this.#onGreeting = (problem) => {
        clearTimeout(timer);
        this.#onGreeting = null;
        if (problem === null) resolve();
        else reject(problem);
      };
      this.#socket.on('data', (bytes: Buffer) => this.#receive(bytes));
      this.#socket.on('error', (error: NodeJS.ErrnoException) => {
        this.#onGreeting?.(connectProblem(this.name, error.code ?? error.message));
        this.#end(`${this.name}: ${error.message}`);
      });
      this.#socket.on('close', () => {
        this.#onGreeting?.(connectProblem(this.name, 'ECONNREFUSED'));
        this.#end(`${this.name}: the connection ended: QEMU quit, or it closed its monitor`);
      });
    });
  }

  #receive(bytes: Buffer): void {
    let lines: string[];
    try {
      lines = this.#lines.push(bytes);
    } catch (error) {
      this.#onGreeting?.(notQmp(this.name, (error as Error).message));
      this.#end(`${this.name}: QEMU sent ${(error as Error).message}`);
      return;
    }
    for (const line of lines) {
      if (this.#ended !== null) return;
      if (line.trim() !== '') this.#receiveLine(line);
    }
  }

  #receiveLine(line: string): void {
    const message = parseMessage(line);
    if (this.#onGreeting !== null) {
      const isGreeting = message !== null && asObject(message['QMP']) !== null;
      this.#onGreeting(isGreeting ? null : notQmp(this.name, `it began with ${JSON.stringify(line.slice(0, 60))}`));
      return;
    }
    if (message === null) {
      this.#end(`${this.name}: QEMU sent what is no JSON object: ${JSON.stringify(line.slice(0, 60))}`);
      return;
    }
    const event = parseEvent(message);
    if (event !== null) {
      for (const listener of [...this.#eventListeners]) listener(event);
      return;
    }
    this.#receiveAnswer(message);
  }

  /** An answer to nothing that waits is dropped: it came after its deadline, or is none of ours. */
  #receiveAnswer(message: Message): void {
    const id = message['id'];
    const waiting = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    if (waiting === undefined) return;
    this.#waiting.delete(id as number);
    const error = asObject(message['error']);
    if (error !== null) waiting.reject(new QmpError(waiting.command, String(error['class']), String(error['desc'])));
    else if ('return' in message) waiting.resolve(message['return']);
    else waiting.reject(new QmpError(waiting.command, 'GenericError', 'QEMU sent an answer that says neither return nor error'));
  }

  #end(why: string): void {
    if (this.#ended !== null) return;
    this.#ended = why;
    this.#socket.destroy();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { command, reject } of waiting) reject(new MonitorLostError(`${command}: ${why}`));
    this.#eventListeners.clear();
    this.#tellEnd();
  }

  #tellEnd(): void {
    const listeners = [...this.#endListeners];
    this.#endListeners.clear();
    for (const listener of listeners) listener(this.#ended as string);
  }
}
