/** One end of the TCP stream that lives through everything: sends a steady counter, checks the other side's, times the pauses. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { nowNs } from './clock.js';
import { CounterReader, CounterWriter } from './counter_stream.js';
import { Pacer } from './pacer.js';
import type { TcpReport, TcpSpec } from './protocol.js';
import { Timeline } from './timeline.js';

const STALL_MS = 50;
const STALL_LIMIT = 1000;
/** Words are sent this often; a stall is longer. */
const TICK_MS = 5;
const WORD_BYTES = 8;
/** Sending stops while this much waits in the process: a stalled connection must not fill the memory. */
const WAITING_BYTES_LIMIT = 1024 * 1024;

export class TcpEnd {
  readonly #spec: TcpSpec;
  #server: Server | null = null;
  #socket: Socket | null = null;
  readonly #writer = new CounterWriter();
  readonly #reader = new CounterReader();
  readonly #timeline = new Timeline();
  readonly #errors: string[] = [];
  readonly #stalls: { startMs: number; lengthMs: number }[] = [];
  #pacer: Pacer | null = null;
  #ticking: NodeJS.Timeout | null = null;
  #bytesSent = 0;
  #lastNs = -1;
  #longestStallMs = 0;
  /** The other side has sent all it will send: silence is no stall any more. */
  #expecting = false;
  #closing = false;

  constructor(spec: TcpSpec) {
    this.#spec = spec;
  }

  async listen(): Promise<void> {
    const { address, port } = this.#spec.to;
    this.#server = createServer((socket) => {
      if (this.#socket !== null) {
        this.#errors.push('a second connection arrived');
        socket.destroy();
      } else this.#adopt(socket);
    });
    this.#server.listen(port, address);
    await once(this.#server, 'listening');
  }

  async connect(): Promise<void> {
    const { from, to, family } = this.#spec;
    const socket = connect({ host: to.address, port: to.port, localAddress: from, family });
    await once(socket, 'connect');
    this.#adopt(socket);
  }

  /** @throws when there is no connection yet */
  start(): void {
    if (this.#socket === null) throw new Error(`TCP stream ${this.#spec.id} is not connected`);
    this.#pacer ??= new Pacer(this.#spec.bytesPerSecond / WORD_BYTES, nowNs());
    this.#ticking ??= setInterval(this.#tick, TICK_MS);
    this.#expecting = true;
  }

  stop(): void {
    if (this.#ticking !== null) clearInterval(this.#ticking);
    this.#ticking = null;
    this.#pacer = null;
    this.#endStall();
    this.#expecting = false;
  }

  report(): TcpReport {
    const lasting = this.#expecting && this.#lastNs >= 0 ? (nowNs() - this.#lastNs) / 1e6 : 0;
    const connected = this.#socket !== null && !this.#socket.destroyed;
    return {
      tcp: this.#spec.id,
      connected,
      alive: connected && this.#errors.length === 0 && this.#reader.wrongWords === 0,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#reader.bytes,
      wrongWords: this.#reader.wrongWords,
      longestStallMs: Math.round(Math.max(this.#longestStallMs, lasting) * 10) / 10,
      stalls: [...this.#stalls],
      errors: [...this.#errors],
      timeline: this.#timeline.data(),
    };
  }

  close(): void {
    this.#closing = true;
    this.stop();
    this.#socket?.destroy();
    this.#server?.close();
  }

  #adopt(socket: Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data) => this.#receive(data));
    socket.on('error', (error) => this.#errors.push((error as NodeJS.ErrnoException).code ?? error.message));
    socket.on('close', () => {
      if (!this.#closing) this.#errors.push('the connection closed');
    });
  }

  #receive(data: Buffer): void {
    this.#endStall();
    const now = nowNs();
    this.#lastNs = now;
    this.#timeline.add(now, data.length);
    this.#reader.read(data);
  }

  #endStall(): void {
    if (!this.#expecting || this.#lastNs < 0) return;
    const lengthMs = (nowNs() - this.#lastNs) / 1e6;
    this.#longestStallMs = Math.max(this.#longestStallMs, lengthMs);
    if (lengthMs >= STALL_MS && this.#stalls.length < STALL_LIMIT) this.#stalls.push({ startMs: this.#lastNs / 1e6, lengthMs });
  }

  readonly #tick = (): void => {
    const socket = this.#socket;
    if (socket === null || socket.destroyed || this.#pacer === null) return;
    // Takes what is due in any case, so that a stall is not followed by a burst of all that could not be sent.
    const words = this.#pacer.take(nowNs());
    if (words === 0 || socket.writableLength > WAITING_BYTES_LIMIT) return;
    const data = this.#writer.take(words);
    this.#bytesSent += data.length;
    socket.write(data);
  };
}
