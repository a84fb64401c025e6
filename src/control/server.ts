/**
 * The control socket: HTTP over a unix socket, as protocol.ts describes it. Who may open the socket's file may do everything, or, where the
 * socket is one for reading, see everything and change nothing. The kernel asks for the file's mode and groups; nobody is asked here.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import type { VnicPath } from '../core/model.js';
import { LookupError } from '../dataplane/site_names.js';
import type { Controller } from './controller.js';
import {
  type ConfigReply, type CountersReply, type ErrorReply, type ExplainReply, type ExplainRequest, MAX_WAIT_MS, PROTOCOL_SCHEMA, type ReloadReply, type StatusReply,
} from './protocol.js';
import type { RssRequest } from './rss_protocol.js';
import type { FlowsReply, FlowsRequest, FlowsTaken } from './flow_protocol.js';
import type { MigrateReply, MigrateRequest, VmsReply } from './vm_protocol.js';
import { type MetricsSource, sendScrape } from './scrape.js';
import { listenOnPath } from './socket_path.js';

/** Virtual machines; src/hypervisor/vm_control.ts. */
export interface VmTarget {
  status(): Omit<VmsReply, 'schema'>;
  receive(name: string, uri: string): Promise<void>;
  migrate(name: string, request: MigrateRequest): Promise<Omit<MigrateReply, 'schema'>>;
  cancel(name: string): Promise<void>;
}

/** Learnt flows; flow_control.ts. Null: there is no such vNIC. */
export interface FlowTarget {
  get(vnic: string): Omit<FlowsReply, 'schema'> | null;
  put(vnic: string, request: FlowsRequest): Omit<FlowsTaken, 'schema'> | null;
}

/** What the socket makes reachable. */
export interface ControlTarget {
  readonly controller: Controller;
  readonly metrics: MetricsSource;
  readonly version: string;
  /** Folder of its maps and programs in the BPF file system, without the version. */
  readonly pins: string;
  readonly configFile: string;
  /** True when the programs of an earlier daemon were taken over as they were. */
  readonly adopted: boolean;
  counters(): Omit<CountersReply, 'schema'>;
  /** What would become of frames. Changes nothing. */
  explain(request: ExplainRequest): Promise<Omit<ExplainReply, 'schema'>>;
  readonly vms: VmTarget;
  readonly flows: FlowTarget;
  /** The configuration in force, as a file would say it. */
  config(): ConfigReply['config'];
  /** Reads the configuration again and acts on it, or only says what that would do. */
  reload(dryRun: boolean): Promise<Omit<ReloadReply, 'schema'>>;
  /** Called when everything was undone and the answer is on its way. */
  ended(): void;
}

const BODY_LIMIT_BYTES = 64 * 1024;
/** Frames come in hexadecimal digits. */
const EXPLAIN_LIMIT_BYTES = 1024 * 1024;
/** Some 30 bytes a flow. */
const FLOWS_LIMIT_BYTES = 8 * 1024 * 1024;
/** A client of /v1/events that reads slower than events come is let go. */
const EVENT_BACKLOG_LIMIT_BYTES = 1024 * 1024;
const CLOSE_GRACE_MS = 500;

/** What QEMU takes; a command of its own (exec:) is not for who may only use the socket. */
const migrationUri = z.string().regex(/^(unix:\/|tcp:)\S+$/, 'an address such as unix:/run/migration or tcp:192.0.2.1:4444');
const receiveRequest = z.strictObject({ uri: migrationUri });
const migrateRequest = z.strictObject({
  uri: migrationUri,
  bandwidth: z.number().int().min(1).optional(),
  downtime_ms: z.number().int().min(1).max(60_000).optional(),
});
const actRequest = z.strictObject({ wait_ms: z.number().min(0).max(MAX_WAIT_MS).default(0) });
const reserveRequest = z.strictObject({ lease_ms: z.number().int().min(0).max(MAX_WAIT_MS) });
const quarantineRequest = z.strictObject({ reason: z.string().min(1).max(200) });
const reloadRequest = z.strictObject({ dry_run: z.boolean().default(false) });
const emptyRequest = z.strictObject({});
const rssRequest: z.ZodType<RssRequest> = z.strictObject({
  key: z.string().optional(),
  hash_types: z.array(z.string()).optional(),
  weights: z.array(z.number()).optional(),
  reset: z.boolean().optional(),
  dry_run: z.boolean().optional(),
});
const whole = (most: number) => z.number().int().min(0).max(most);
const flowsRequest = z.strictObject({
  seed: z.string().regex(/^[0-9a-f]{16}$/, '16 hexadecimal digits'),
  slots: z.number().int().min(1).refine((slots) => (slots & (slots - 1)) === 0, 'a power of two'),
  flows: z.array(z.tuple([whole(0xffff_ffff), whole(0xffff_ffff), whole(0xff), z.number().min(0)])),
});
const smallNumber = (most: number) => z.number().int().min(0).max(most).optional();
const explainRequest = z.strictObject({
  vnic: z.string().optional(),
  from: z.enum(['wire', 'guest']).optional(),
  interface: z.string().optional(),
  rx_queue: smallNumber(0xffff),
  cpu: smallNumber(0xffff),
  flow: z.strictObject({
    source: z.string(),
    destination: z.string(),
    protocol: z.number().int().min(0).max(255),
    source_port: smallNumber(0xffff),
    destination_port: smallNumber(0xffff),
    source_mac: z.string().optional(),
    destination_mac: z.string().optional(),
    vlan: smallNumber(4094),
    length: smallNumber(0xffff),
  }).optional(),
  frames: z.array(z.strictObject({ frame: z.string(), interface: z.string().nullable() })).optional(),
});

/** A request that gets an error as its answer. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null = null,
  ) {
    super(message);
  }
}

/** What may be done on a socket. */
export type SocketRights = 'all' | 'read';

const WANTED: Readonly<Record<string, VnicPath | null>> = { accelerate: 'accelerated', software: 'software', auto: null };

/** Header that says who answers, also while the daemon is starting. */
export const PID_HEADER = 'unipath-pid';

export class ControlServer {
  readonly #server: Server;
  #target: ControlTarget | null;
  readonly #failed: (error: Error, url: string) => void;
  readonly #rights: SocketRights;
  readonly #streams = new Set<ServerResponse>();

  private constructor(target: ControlTarget | null, failed: (error: Error, url: string) => void, rights: SocketRights) {
    this.#target = target;
    this.#failed = failed;
    this.#rights = rights;
    this.#server = createServer(
      { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 8_192 },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = 128;
  }

  /**
   * Claims the socket: from now on no other daemon can have it. Without a target, requests are refused as "starting" until
   * `serve` names one. `failed` is told of requests that ended in an unexpected error. @throws SocketPathError
   */
  static async listen(
    path: string,
    target: ControlTarget | null,
    failed: (error: Error, url: string) => void = () => undefined,
    rights: SocketRights = 'all',
  ): Promise<ControlServer> {
    const server = new ControlServer(target, failed, rights);
    await listenOnPath(server.#server, path);
    return server;
  }

  serve(target: ControlTarget): void {
    this.#target = target;
  }

  /** Accepts no more requests, gives running ones a moment, and removes the socket. */
  async close(): Promise<void> {
    for (const stream of this.#streams) stream.end();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const grace = setTimeout(() => this.#server.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(grace);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/';
    response.setHeader(PID_HEADER, process.pid);
    try {
      if (this.#target === null) throw new Refusal(503, 'starting', 'unipathd is starting', 'try again in a moment');
      await this.#route(this.#target, request, response, url);
    } catch (error) {
      const refusal = asRefusal(error as Error);
      if (refusal.status === 500) this.#failed(error as Error, url);
      if (response.headersSent) {
        response.destroy();
        return;
      }
      // What is left of an unread body would be taken for the next request.
      if (!request.complete) response.setHeader('connection', 'close');
      const { code, message, hint } = refusal;
      sendJson(response, refusal.status, { error: { code, message, hint } } satisfies Omit<ErrorReply, 'schema'>);
    }
  }

  async #route(target: ControlTarget, request: IncomingMessage, response: ServerResponse, url: string): Promise<void> {
    const path = new URL(url, 'http://unipath').pathname;
    if (this.#rights === 'read' && !changesNothing(request.method, path)) {
      throw new Refusal(403, 'read_only', 'nothing can be changed on this socket', 'use the control socket of unipathd, as root or as a member of its group');
    }
    const [, vnic, verb] = /^\/v1\/vnics\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    if (vnic !== undefined && verb === 'flows') return flows(target.flows, request, response, decodeName(vnic));
    if (vnic !== undefined && verb !== undefined) return act(target.controller, request, response, vnic, verb);
    const [, port, fate] = /^\/v1\/vfs\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    if (port !== undefined && fate !== undefined) return decideVf(target.controller, request, response, decodeName(port), fate);
    const [, vm, deed] = /^\/v1\/vms\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    if (vm !== undefined && deed !== undefined) return move(target.vms, request, response, decodeName(vm), deed);
    if (path === '/v1/rss' && request.method === 'POST') return setRss(target.controller, request, response, null);
    switch (path) {
      case '/v1/rss':
        allow(request, 'GET');
        return sendJson(response, 200, target.controller.rssStatus());
      case '/v1/vms':
        allow(request, 'GET');
        return sendJson(response, 200, target.vms.status());
      case '/v1/status':
        allow(request, 'GET');
        return sendJson(response, 200, statusOf(target));
      case '/v1/counters':
        allow(request, 'GET');
        return sendJson(response, 200, target.counters());
      case '/v1/events':
        allow(request, 'GET');
        return this.#stream(target.controller, response);
      case '/v1/events/recent':
        allow(request, 'GET');
        return sendJson(response, 200, { events: target.controller.recentEvents() });
      case '/v1/flow/explain':
        allow(request, 'POST');
        return sendJson(response, 200, await target.explain(await readBody(request, explainRequest, EXPLAIN_LIMIT_BYTES)));
      case '/v1/config':
        allow(request, 'GET');
        return sendJson(response, 200, { config_file: target.configFile, config: target.config() } satisfies Omit<ConfigReply, 'schema'>);
      case '/v1/config/reload':
        allow(request, 'POST');
        return sendJson(response, 200, await target.reload((await readBody(request, reloadRequest)).dry_run));
      case '/v1/down':
        allow(request, 'POST');
        await readBody(request, emptyRequest);
        return down(target, response);
      case '/metrics': {
        allow(request, 'GET');
        return sendScrape(target.metrics, response);
      }
      default:
        throw new Refusal(404, 'unknown_route', `no such route: ${path}`);
    }
  }

  #stream(controller: Controller, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    this.#streams.add(response);
    const stop = controller.onEvent((event) => {
      response.write(`${JSON.stringify(event)}\n`);
      if (response.writableLength > EVENT_BACKLOG_LIMIT_BYTES) response.destroy();
    });
    response.once('close', () => {
      stop();
      this.#streams.delete(response);
    });
  }
}

function statusOf({ controller, version, pins, configFile, adopted }: ControlTarget): Omit<StatusReply, 'schema'> {
  const { lastReconcileAgeMs, error } = controller.health();
  return {
    version,
    pid: process.pid,
    pins,
    config_file: configFile,
    adopted,
    last_reconcile_age_ms: lastReconcileAgeMs === null ? null : Math.round(lastReconcileAgeMs),
    reconcile_error: error,
    adapters: controller.adapterStatus(),
    quotas: controller.quotaStatus(),
    vnics: controller.vnicStatus(),
  };
}

/** All that is read, and one question that is too long for an address. */
function changesNothing(method: string | undefined, path: string): boolean {
  return method === 'GET' || path === '/v1/flow/explain';
}

async function act(
  controller: Controller,
  request: IncomingMessage,
  response: ServerResponse,
  encodedName: string,
  verb: string,
): Promise<void> {
  if (verb === 'rss') return setRss(controller, request, response, decodeName(encodedName));
  if (verb === 'reserve') {
    allow(request, 'POST');
    const { lease_ms } = await readBody(request, reserveRequest);
    return sendJson(response, 200, { vnic: await controller.reserve(decodeName(encodedName), lease_ms) });
  }
  if (verb === 'why') {
    allow(request, 'GET');
    return sendJson(response, 200, await controller.why(decodeName(encodedName)));
  }
  const path = Object.hasOwn(WANTED, verb) ? WANTED[verb] : undefined;
  if (path === undefined) {
    throw new Refusal(404, 'unknown_verb', `no such verb: ${verb}`, `verbs are: ${[...Object.keys(WANTED), 'reserve', 'rss', 'flows', 'why'].join(', ')}`);
  }
  allow(request, 'POST');
  const name = decodeName(encodedName);
  const { wait_ms } = await readBody(request, actRequest);
  sendJson(response, 200, await controller.want(name, path, wait_ms));
}

async function decideVf(controller: Controller, request: IncomingMessage, response: ServerResponse, port: string, fate: string): Promise<void> {
  if (fate !== 'quarantine' && fate !== 'release') throw new Refusal(404, 'unknown_verb', `no such verb: ${fate}`, 'verbs are: quarantine, release');
  allow(request, 'POST');
  const reason = fate === 'quarantine' ? (await readBody(request, quarantineRequest)).reason : null;
  if (reason === null) await readBody(request, emptyRequest);
  sendJson(response, 200, { vf: await controller.quarantine(port, reason) });
}

async function move(vms: VmTarget, request: IncomingMessage, response: ServerResponse, name: string, deed: string): Promise<void> {
  if (!['receive', 'migrate', 'cancel'].includes(deed)) {
    throw new Refusal(404, 'unknown_verb', `no such verb: ${deed}`, 'verbs are: receive, migrate, cancel');
  }
  allow(request, 'POST');
  if (deed === 'migrate') return sendJson(response, 200, await vms.migrate(name, await readBody(request, migrateRequest)));
  if (deed === 'receive') await vms.receive(name, (await readBody(request, receiveRequest)).uri);
  else {
    await readBody(request, emptyRequest);
    await vms.cancel(name);
  }
  sendJson(response, 200, {});
}

async function flows(target: FlowTarget, request: IncomingMessage, response: ServerResponse, vnic: string): Promise<void> {
  const isRead = request.method === 'GET';
  if (!isRead) allow(request, 'POST');
  const reply = isRead ? target.get(vnic) : target.put(vnic, await readBody(request, flowsRequest, FLOWS_LIMIT_BYTES));
  if (reply === null) throw new Refusal(404, 'unknown_vnic', `there is no vNIC "${vnic}"`);
  sendJson(response, 200, reply);
}

async function setRss(controller: Controller, request: IncomingMessage, response: ServerResponse, vnic: string | null): Promise<void> {
  allow(request, 'POST');
  sendJson(response, 200, await controller.setRss(vnic, await readBody(request, rssRequest)));
}

async function down(target: ControlTarget, response: ServerResponse): Promise<void> {
  const reply = await target.controller.down();
  // Whoever asked may be gone by now.
  if (response.closed) return target.ended();
  response.once('close', () => target.ended());
  response.setHeader('connection', 'close');
  sendJson(response, 200, reply);
}

/** Of an error that has one. */
const hintOf = (error: Error & { readonly hint?: string | null }): string | null => error.hint ?? null;

function asRefusal(error: Error): Refusal {
  if (error instanceof Refusal) return error;
  if (error.name === 'ConfigError') return new Refusal(422, 'config_invalid', error.message, 'the configuration in force was kept');
  if (error instanceof LookupError) return new Refusal(422, error.code, error.message, error.hint);
  if (error.name === 'UnknownNameError') return new Refusal(404, 'unknown_vnic', error.message, hintOf(error));
  if (error.name === 'UnknownVfError') return new Refusal(404, 'unknown_vf', error.message, hintOf(error));
  if (error.name === 'NotInQuarantineError') return new Refusal(422, 'not_in_quarantine', error.message, 'nothing was changed');
  if (error.name === 'VmError') {
    const code = (error as Error & { readonly code: string }).code;
    return new Refusal(code === 'unknown_vm' ? 404 : 422, code, error.message, hintOf(error));
  }
  if (error.name === 'QmpError') return new Refusal(422, 'qemu_refused', error.message, 'nothing was migrated');
  if (error.name === 'FlowsRefusedError') return new Refusal(422, 'flows_refused', error.message, 'nothing was changed');
  if (error.name === 'RssRefusedError') return new Refusal(422, 'rss_refused', error.message, 'nothing was changed');
  if (error.name === 'NotUndoneError') return new Refusal(500, 'not_undone', error.message, 'it goes on being tried; ask for it again');
  return new Refusal(500, 'internal_error', error.message, 'the log of unipathd has more');
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify({ schema: PROTOCOL_SCHEMA, ...body });
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function allow(request: IncomingMessage, method: 'GET' | 'POST'): void {
  if (request.method !== method) throw new Refusal(405, 'wrong_method', `${request.method ?? ''} is not possible here; use ${method}`);
}

function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new Refusal(400, 'bad_name', `the name in the address is not well encoded: ${encoded}`);
  }
}

/** Nothing at all counts as {}. */
async function readBody<T>(request: IncomingMessage, schema: z.ZodType<T>, limit = BODY_LIMIT_BYTES): Promise<T> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > limit) throw new Refusal(413, 'body_too_large', `the request has more than ${limit} bytes`);
    pieces.push(piece);
  }
  let value: unknown;
  try {
    value = size === 0 ? {} : JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (error) {
    throw new Refusal(400, 'bad_json', `the request is no JSON: ${(error as Error).message}`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Refusal(400, 'bad_request', `${issue?.path.join('.') || 'request'}: ${issue?.message ?? 'not understood'}`);
}
