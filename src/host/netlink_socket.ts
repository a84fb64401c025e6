/**
 * Requests to the kernel over netlink, one after the other, on a socket of the npm package `netlink`.
 *
 * Only its lowest layer is used: the layers above hide the error code of a dump's end and the flag "the list changed
 * meanwhile", and their types drag in those of Node 12. And it is used for requests only, never for multicast groups: when
 * the kernel overruns the socket's buffer (ENOBUFS), version 0.3.0 aborts the process. A dump cannot overrun: the kernel
 * waits for room. Its callbacks must not throw, for the same reason.
 */
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import {
  type NetlinkMessage,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  messageErrno,
  splitMessages,
  writeRequest,
} from './netlink_messages.js';

export const NETLINK_ROUTE = 0;
export const NETLINK_GENERIC = 16;

interface RawSocket {
  on(event: 'message', listener: (datagram: Buffer) => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  send(datagram: Buffer, options: object, callback: (error?: Error) => void): void;
  unref(): void;
  close(): void;
}

const { RawNetlinkSocket } = createRequire(import.meta.url)('netlink/dist/raw.js') as {
  RawNetlinkSocket: new (protocol: number) => RawSocket;
};

const ANSWER_DEADLINE_MS = 2_000;
/** A list that changes on every one of this many readings is taken as it is; the changes come as events anyway. */
const DUMP_ATTEMPTS = 5;

/** The kernel refused a netlink request, or did not answer. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';

  constructor(
    readonly what: string,
    readonly code: string,
  ) {
    super(`netlink: ${what}: ${code}`);
  }
}

interface Pending {
  readonly sequence: number;
  readonly parts: NetlinkMessage[];
  readonly dump: boolean;
  readonly settle: (error: Error | null) => void;
}

/** One socket; does not keep the process alive. */
export class NetlinkSocket {
  readonly #protocol: number;
  #socket: RawSocket | null = null;
  #pending: Pending | null = null;
  #sequence = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(protocol: number) {
    this.#protocol = protocol;
  }

  /** Everything of one kind. Repeated when it changed while it was read. @throws NetlinkError */
  async dump(type: number, payload: Buffer, what: string): Promise<readonly NetlinkMessage[]> {
    for (let attempt = 1; ; attempt++) {
      const parts = await this.#enqueue(type, payload, true, what);
      if (attempt === DUMP_ATTEMPTS || !parts.some((part) => part.flags & NLM_F_DUMP_INTR)) return parts;
    }
  }

  /** A question with one answer. @throws NetlinkError */
  async ask(type: number, payload: Buffer, what: string): Promise<NetlinkMessage> {
    const [answer] = await this.#enqueue(type, payload, false, what);
    if (answer === undefined) throw new NetlinkError(what, 'no answer');
    return answer;
  }

  close(): void {
    this.#closed = true;
    this.#drop(new NetlinkError('request', 'socket closed'));
  }

  #enqueue(type: number, payload: Buffer, dump: boolean, what: string): Promise<readonly NetlinkMessage[]> {
    const result = this.#queue.then(() => this.#request(type, payload, dump, what));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #request(type: number, payload: Buffer, dump: boolean, what: string): Promise<readonly NetlinkMessage[]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new NetlinkError(what, 'socket closed'));
      this.#sequence = (this.#sequence + 1) >>> 0;
      const parts: NetlinkMessage[] = [];
      const deadline = setTimeout(
        () => this.#drop(new NetlinkError(what, `no answer within ${ANSWER_DEADLINE_MS} ms`)),
        ANSWER_DEADLINE_MS,
      );
      this.#pending = {
        sequence: this.#sequence,
        parts,
        dump,
        settle: (error) => {
          clearTimeout(deadline);
          this.#pending = null;
          if (error === null) resolve(parts);
          else reject(error instanceof NetlinkError ? error : new NetlinkError(what, error.message));
        },
      };
      try {
        this.#open().send(writeRequest(type, this.#sequence, payload, dump), {}, (error) => {
          if (error !== undefined && error !== null) this.#pending?.settle(error);
        });
      } catch (error) {
        this.#pending.settle(error as Error);
      }
    });
  }

  #open(): RawSocket {
    if (this.#socket !== null) return this.#socket;
    const socket = new RawNetlinkSocket(this.#protocol);
    socket.unref();
    socket.on('message', (datagram) => {
      if (socket !== this.#socket) return;
      try {
        for (const message of splitMessages(datagram)) this.#receive(message);
      } catch (error) {
        this.#drop(error as Error);
      }
    });
    socket.on('error', (error) => {
      if (socket === this.#socket) this.#drop(error);
    });
    this.#socket = socket;
    return socket;
  }

  #receive(message: NetlinkMessage): void {
    const pending = this.#pending;
    if (pending === null || message.sequence !== pending.sequence) return;
    if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
      const errno = messageErrno(message);
      pending.settle(errno === 0 ? null : new Error(getSystemErrorName(-errno)));
      return;
    }
    pending.parts.push(message);
    if (!pending.dump) pending.settle(null);
  }

  /** Gives the socket up; the next request opens a new one. */
  #drop(error: Error): void {
    const socket = this.#socket;
    this.#socket = null;
    // Not from within the socket's own callback: its native side is still using what closing frees.
    if (socket !== null) setImmediate(() => socket.close());
    this.#pending?.settle(error);
  }
}
