/** Speaks to unipathd over its control socket. */
import { type IncomingMessage, request } from 'node:http';
import {
  type ActReply,
  type ActRequest,
  type ConfigReply,
  type CountersReply,
  type DownReply,
  type ErrorReply,
  type EventsReply,
  type ExplainReply,
  type ExplainRequest,
  type MonitorEvent,
  PROTOCOL_SCHEMA,
  type ReloadReply,
  type QuarantineRequest,
  type ReloadRequest,
  type ReserveReply,
  type ReserveRequest,
  type StatusReply,
  type VfReply,
  type WhyReply,
} from './protocol.js';
import type { RssReply, RssRequest, RssSetReply } from './rss_protocol.js';
import { usualSocket } from './usual_socket.js';
import type { FlowsReply, FlowsRequest, FlowsTaken } from './flow_protocol.js';
import type { MigrateReply, MigrateRequest, ReceiveRequest, VmsReply } from './vm_protocol.js';

const DEFAULT_TIMEOUT_MS = 10_000;

/** Nobody answers on the socket. */
export class DaemonUnreachableError extends Error {
  override readonly name = 'DaemonUnreachableError';

  constructor(
    readonly socketPath: string,
    readonly code: string,
  ) {
    super(`unipathd is not reachable: ${UNREACHABLE[code]?.(socketPath) ?? `${socketPath}: ${code}`}`);
  }
}

const UNREACHABLE: Readonly<Record<string, (path: string) => string>> = {
  ENOENT: (path) => `there is no socket ${path}; start unipathd, or name its socket with -S`,
  ECONNREFUSED: (path) => `nobody listens on ${path}; start unipathd`,
  EACCES: (path) => `${path} may not be opened; run as root, or as a member of the socket's group`,
  ECONNRESET: (path) => `the process behind ${path} ended, or broke off its answer`,
  ENOTSOCK: (path) => `${path} is no socket; name that of unipathd with -S`,
};

/** unipathd answered with an error. */
export class RequestError extends Error {
  override readonly name = 'RequestError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null,
  ) {
    super(message);
  }
}

/** unipathd did not answer in time. */
export class RequestTimeoutError extends Error {
  override readonly name = 'RequestTimeoutError';
}

export class ControlClient {
  readonly #socketPath: string;
  readonly #timeoutMs: number;
  /** Answers that were broken off by us because they took too long. */
  readonly #late = new WeakMap<IncomingMessage, RequestTimeoutError>();

  /** `timeoutMs`: how long one answer may take, over and above what is asked to be waited for. */
  constructor(socketPath: string = usualSocket(), timeoutMs: number = DEFAULT_TIMEOUT_MS) {
    this.#socketPath = socketPath;
    this.#timeoutMs = timeoutMs;
  }

  status(): Promise<StatusReply> {
    return this.#json('GET', '/v1/status');
  }

  counters(): Promise<CountersReply> {
    return this.#json('GET', '/v1/counters');
  }

  /** `auto`: the configuration's policy holds again. Answers when it is so, or after `waitMs`; 0: at once. */
  act(vnic: string, verb: 'accelerate' | 'software' | 'auto', waitMs = 0): Promise<ActReply> {
    return this.#json('POST', `/v1/vnics/${encodeURIComponent(vnic)}/${verb}`, { wait_ms: waitMs } satisfies ActRequest, waitMs);
  }

  /** Why it is on the path it is on. */
  why(vnic: string): Promise<WhyReply> {
    return this.#json('GET', `/v1/vnics/${encodeURIComponent(vnic)}/why`);
  }

  /** A VF is kept for the vNIC for so long; 0: no longer. */
  reserve(vnic: string, leaseMs: number): Promise<ReserveReply> {
    return this.#json('POST', `/v1/vnics/${encodeURIComponent(vnic)}/reserve`, { lease_ms: leaseMs } satisfies ReserveRequest);
  }

  /** The VF of this port is taken back and not handed out any more. Answers when that is done, or takes long. */
  quarantineVf(port: string, reason: string): Promise<VfReply> {
    return this.#json('POST', `/v1/vfs/${encodeURIComponent(port)}/quarantine`, { reason } satisfies QuarantineRequest, 10_000);
  }

  releaseVf(port: string): Promise<VfReply> {
    return this.#json('POST', `/v1/vfs/${encodeURIComponent(port)}/release`, {}, 10_000);
  }

  rss(): Promise<RssReply> {
    return this.#json('GET', '/v1/rss');
  }

  /** `vnic` null: for the host. Answers when frames are spread accordingly. */
  setRss(vnic: string | null, request: RssRequest): Promise<RssSetReply> {
    return this.#json('POST', vnic === null ? '/v1/rss' : `/v1/vnics/${encodeURIComponent(vnic)}/rss`, request);
  }

  /** What the guest has taught of its flows. */
  flows(vnic: string): Promise<FlowsReply> {
    return this.#json('GET', `/v1/vnics/${encodeURIComponent(vnic)}/flows`);
  }

  /** In the place of what was learnt there. */
  putFlows(vnic: string, request: FlowsRequest): Promise<FlowsTaken> {
    return this.#json('POST', `/v1/vnics/${encodeURIComponent(vnic)}/flows`, request);
  }

  vms(): Promise<VmsReply> {
    return this.#json('GET', '/v1/vms');
  }

  /** On the destination: its QEMU waits for the guest. */
  async receiveVm(name: string, request: ReceiveRequest): Promise<void> {
    await this.#json('POST', `/v1/vms/${encodeURIComponent(name)}/receive`, request);
  }

  /** Answers when it is over. */
  migrateVm(name: string, request: MigrateRequest, waitMs: number): Promise<MigrateReply> {
    return this.#json('POST', `/v1/vms/${encodeURIComponent(name)}/migrate`, request, waitMs);
  }

  async cancelVm(name: string): Promise<void> {
    await this.#json('POST', `/v1/vms/${encodeURIComponent(name)}/cancel`, {});
  }

  /** What would become of frames. Changes nothing. */
  explain(request: ExplainRequest): Promise<ExplainReply> {
    return this.#json('POST', '/v1/flow/explain', request);
  }

  /** The configuration in force. */
  config(): Promise<ConfigReply> {
    return this.#json('GET', '/v1/config');
  }

  /** Takes as long as what the new configuration asks for. */
  reload(dryRun = false, waitMs = 60_000): Promise<ReloadReply> {
    return this.#json('POST', '/v1/config/reload', { dry_run: dryRun } satisfies ReloadRequest, waitMs);
  }

  /** Everything is undone and the daemon ends. */
  down(waitMs = 60_000): Promise<DownReply> {
    return this.#json('POST', '/v1/down', {}, waitMs);
  }

  async metrics(): Promise<string> {
    return this.#text(await this.#open('GET', '/metrics', undefined, 0));
  }

  /** The last ones, oldest first. */
  async recentEvents(): Promise<readonly MonitorEvent[]> {
    return (await this.#json<EventsReply>('GET', '/v1/events/recent')).events;
  }

  /** Every event from now on, until the daemon ends or `signal` is aborted. */
  async *events(signal?: AbortSignal): AsyncGenerator<MonitorEvent> {
    const response = await this.#open('GET', '/v1/events', undefined, 0);
    response.setTimeout(0);
    const stop = (): void => void response.destroy();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) stop();
    try {
      let unfinished = '';
      for await (const piece of response.setEncoding('utf8') as AsyncIterable<string>) {
        const lines = (unfinished + piece).split('\n');
        unfinished = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line) as MonitorEvent;
      }
    } catch (error) {
      if (signal?.aborted !== true) throw this.#unreachable(error as Error);
    } finally {
      signal?.removeEventListener('abort', stop);
      stop();
    }
  }

  async #json<T extends { readonly schema: number }>(method: 'GET' | 'POST', path: string, body?: object, waitMs = 0): Promise<T> {
    const text = await this.#text(await this.#open(method, path, body, waitMs));
    const reply = JSON.parse(text) as T;
    if (reply.schema !== PROTOCOL_SCHEMA) {
      throw new RequestError(
        200,
        'other_schema',
        `unipathd speaks version ${reply.schema} of the protocol, not ${PROTOCOL_SCHEMA}`,
        'use the unipath of its version',
      );
    }
    return reply;
  }

  /** Resolves with a good answer's head. @throws DaemonUnreachableError, RequestError, RequestTimeoutError */
  #open(method: 'GET' | 'POST', path: string, body: object | undefined, waitMs: number): Promise<IncomingMessage> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const timeout = this.#timeoutMs + waitMs;
    return new Promise((resolve, reject) => {
      const ask = request({
        socketPath: this.#socketPath,
        method,
        path,
        timeout,
        agent: false,
        headers: { host: 'unipath', 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      });
      let answer: IncomingMessage | null = null;
      ask.once('response', (response) => {
        answer = response;
        if (response.statusCode === 200) resolve(response);
        else void this.#text(response).then((words) => reject(requestError(response.statusCode ?? 0, words)), reject);
      });
      ask.once('timeout', () => {
        const late = new RequestTimeoutError(`unipathd did not answer within ${timeout} ms`);
        if (answer !== null) this.#late.set(answer, late);
        ask.destroy(late);
      });
      ask.once('error', (error) => reject(this.#unreachable(error)));
      ask.end(text);
    });
  }

  async #text(response: IncomingMessage): Promise<string> {
    let text = '';
    try {
      for await (const piece of response.setEncoding('utf8') as AsyncIterable<string>) text += piece;
    } catch (error) {
      throw this.#late.get(response) ?? this.#unreachable(error as Error);
    }
    return text;
  }

  #unreachable(error: NodeJS.ErrnoException): Error {
    return error instanceof RequestTimeoutError ? error : new DaemonUnreachableError(this.#socketPath, error.code ?? error.message);
  }
}

function requestError(status: number, body: string): RequestError {
  try {
    const { code, message, hint } = (JSON.parse(body) as ErrorReply).error;
    return new RequestError(status, code, message, hint);
  } catch {
    return new RequestError(
      status,
      'not_understood',
      `answer ${status} that is not understood: ${body.slice(0, 200)}`,
      'does unipathd listen on this socket?',
    );
  }
}
