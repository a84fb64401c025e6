/** The UDP flows of an endpoint: sends its sources' datagrams in time, checks and counts what arrives, answers as a sink. */
import type { RemoteInfo, Socket } from 'node:dgram';
import { type Account, Arrivals } from './arrivals.js';
import { nowNs } from './clock.js';
import { checkDatagram, type DatagramHeader, encodeDatagram, HEADER_BYTES, STREAMS, type Stream } from './datagram.js';
import { Pacer } from './pacer.js';
import type { EndpointErrors, FlowSpec, ReceivedTotals, SentSoFar, StreamName, StreamRange, StreamTotals } from './protocol.js';
import { Timeline, type TimelineData } from './timeline.js';
import { UdpSockets } from './udp_sockets.js';

const PROBE_INTERVAL_MS = 50;

/** One numbering that this endpoint sends. */
class Sender {
  readonly #spec: FlowSpec;
  readonly #socket: Socket;
  readonly #stream: Stream;
  sent = 0;
  bytes = 0;
  sendErrors = 0;
  lastError: string | null = null;

  constructor(spec: FlowSpec, socket: Socket, stream: Stream) {
    this.#spec = spec;
    this.#socket = socket;
    this.#stream = stream;
  }

  send(address: string, port: number): void {
    const sequence = this.sent++;
    const { sizes } = this.#spec;
    const length = sizes[sequence % sizes.length] ?? HEADER_BYTES;
    this.bytes += length;
    const datagram = encodeDatagram({ flow: this.#spec.id, stream: this.#stream, sequence, sentNs: nowNs(), length });
    this.#socket.send(datagram, port, address, this.#onSent);
  }

  readonly #onSent = (error: Error | null): void => {
    if (error === null) return;
    this.sendErrors++;
    this.lastError = (error as NodeJS.ErrnoException).code ?? error.message;
  };

  totals(stream: StreamName, skipped: number): StreamTotals {
    const { sent, bytes, sendErrors, lastError } = this;
    return { flow: this.#spec.id, stream, sent, bytes, sendErrors, lastError, skipped };
  }
}

/** One numbering that this endpoint receives. */
class Receiver {
  readonly arrivals = new Arrivals();
  readonly timeline = new Timeline();

  receive(header: DatagramHeader, arrivedNs: number, corrupt: boolean): void {
    this.arrivals.add(header.sequence, arrivedNs, header.sentNs, corrupt);
    this.timeline.add(arrivedNs, header.length);
  }
}

interface Source {
  readonly spec: FlowSpec;
  readonly socket: Socket;
  readonly sender: Sender;
  readonly echo: Receiver;
  /** null while stopped. */
  pacer: Pacer | null;
  skipped: number;
  onProbeAnswer: ((sentNs: number) => void) | null;
}

interface Sink {
  readonly spec: FlowSpec;
  readonly receiver: Receiver;
  readonly echo: Sender;
  untilEcho: number;
}

export class UdpFlows {
  readonly #sockets = new UdpSockets((socket, datagram, from) => this.#receive(socket, datagram, from));
  readonly #sources = new Map<number, Source>();
  readonly #sinks = new Map<number, Sink>();
  /** Filled anew for every datagram. */
  readonly #header: DatagramHeader = { flow: 0, stream: 0, sequence: 0, sentNs: 0, length: 0 };
  #foreign = 0;
  #damagedHeaders = 0;
  #misdelivered = 0;
  #ticking: NodeJS.Timeout | null = null;

  async addSource(spec: FlowSpec): Promise<void> {
    checkSpec(spec);
    if (this.#sources.has(spec.id)) throw new RangeError(`flow ${spec.id} has a source here already`);
    const socket = await this.#sockets.open(spec.family, spec.from);
    const sender = new Sender(spec, socket, STREAMS.forward);
    this.#sources.set(spec.id, { spec, socket, sender, echo: new Receiver(), pacer: null, skipped: 0, onProbeAnswer: null });
  }

  async addSink(spec: FlowSpec): Promise<void> {
    checkSpec(spec);
    if (this.#sinks.has(spec.id)) throw new RangeError(`flow ${spec.id} has a sink here already`);
    const socket = await this.#sockets.open(spec.family, spec.to);
    this.#sinks.set(spec.id, { spec, receiver: new Receiver(), echo: new Sender(spec, socket, STREAMS.echo), untilEcho: spec.echoEvery });
  }

  /** Sends a datagram every 50 ms until one came back. @throws when none does in time */
  probe(flow: number, timeoutMs: number): Promise<{ roundTripUs: number; attempts: number }> {
    const source = this.#source(flow);
    const { spec, socket } = source;
    let attempts = 0;
    const send = (): void => {
      const probe = encodeDatagram({ flow, stream: STREAMS.probe, sequence: attempts++, sentNs: nowNs(), length: HEADER_BYTES });
      socket.send(probe, spec.to.port, spec.to.address, () => {});
    };
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearInterval(repeating);
        clearTimeout(deadline);
        source.onProbeAnswer = null;
      };
      const repeating = setInterval(send, PROBE_INTERVAL_MS);
      const deadline = setTimeout(() => {
        finish();
        reject(new Error(`flow ${flow}: ${spec.to.address} port ${spec.to.port} did not answer within ${timeoutMs} ms`));
      }, timeoutMs);
      source.onProbeAnswer = (sentNs) => {
        finish();
        resolve({ roundTripUs: Math.round((nowNs() - sentNs) / 1000), attempts });
      };
      send();
    });
  }

  start(flows: readonly number[]): void {
    const now = nowNs();
    for (const source of flows.map((flow) => this.#source(flow))) source.pacer ??= new Pacer(source.spec.packetsPerSecond, now);
    this.#ticking ??= setTimeout(this.#tick, 1);
  }

  stop(flows: readonly number[]): void {
    for (const source of flows.map((flow) => this.#source(flow))) {
      source.skipped += source.pacer?.skipped ?? 0;
      source.pacer = null;
    }
  }

  sent(): SentSoFar[] {
    return this.totals().map(({ flow, stream, sent }) => ({ flow, stream, sent }));
  }

  totals(): StreamTotals[] {
    return [
      ...[...this.#sources.values()].map(({ sender, skipped, pacer }) => sender.totals('forward', skipped + (pacer?.skipped ?? 0))),
      ...[...this.#sinks.values()].map(({ echo }) => echo.totals('echo', 0)),
    ];
  }

  received(): ReceivedTotals[] {
    return this.#receivers().map(({ flow, stream, receiver: { arrivals } }) => {
      const { sent: _sent, lost: _lost, ...counts } = arrivals.account(0, arrivals.highest + 1);
      return { flow, stream, highest: arrivals.highest, ...counts };
    });
  }

  errors(): Pick<EndpointErrors, 'foreign' | 'damagedHeaders' | 'misdelivered'> {
    return { foreign: this.#foreign, damagedHeaders: this.#damagedHeaders, misdelivered: this.#misdelivered };
  }

  account({ flow, stream, from, to }: StreamRange): Account {
    return this.#receiver(flow, stream).arrivals.account(from, to);
  }

  missing({ flow, stream, from, to }: StreamRange, limit: number): [number, number][] {
    return this.#receiver(flow, stream).arrivals.missing(from, to, limit);
  }

  timelines(): { flow: number; stream: StreamName; timeline: TimelineData }[] {
    return this.#receivers().map(({ flow, stream, receiver }) => ({ flow, stream, timeline: receiver.timeline.data() }));
  }

  close(): void {
    if (this.#ticking !== null) clearTimeout(this.#ticking);
    this.#sources.clear();
    this.#sinks.clear();
    this.#sockets.close();
  }

  readonly #tick = (): void => {
    let running = false;
    for (const { pacer, sender, spec } of this.#sources.values()) {
      if (pacer === null) continue;
      running = true;
      for (let due = pacer.take(nowNs()); due > 0; due--) sender.send(spec.to.address, spec.to.port);
    }
    this.#ticking = running ? setTimeout(this.#tick, 1) : null;
  };

  #receive(socket: Socket, datagram: Buffer, from: RemoteInfo): void {
    const arrivedNs = nowNs();
    const header = this.#header;
    const check = checkDatagram(datagram, header);
    if (check === 'foreign') {
      this.#foreign++;
      return;
    }
    if (check === 'bad-header') {
      this.#damagedHeaders++;
      return;
    }
    const sink = this.#sinks.get(header.flow);
    const source = this.#sources.get(header.flow);
    const corrupt = check === 'bad-payload';
    if (header.stream === STREAMS.forward && sink !== undefined) {
      sink.receiver.receive(header, arrivedNs, corrupt);
      if (sink.spec.echoEvery > 0 && --sink.untilEcho === 0) {
        sink.untilEcho = sink.spec.echoEvery;
        sink.echo.send(from.address, from.port);
      }
    } else if (header.stream === STREAMS.echo && source !== undefined) {
      source.echo.receive(header, arrivedNs, corrupt);
    } else if (header.stream === STREAMS.probe && sink !== undefined) {
      const { flow, sequence, sentNs, length } = header;
      socket.send(encodeDatagram({ flow, stream: STREAMS.probeAnswer, sequence, sentNs, length }), from.port, from.address, () => {});
    } else if (header.stream === STREAMS.probeAnswer && source !== undefined) {
      source.onProbeAnswer?.(header.sentNs);
    } else {
      this.#misdelivered++;
    }
  }

  #source(flow: number): Source {
    const source = this.#sources.get(flow);
    if (source === undefined) throw new RangeError(`flow ${flow} has no source here`);
    return source;
  }

  #receivers(): { flow: number; stream: StreamName; receiver: Receiver }[] {
    return [
      ...[...this.#sinks].map(([flow, { receiver }]) => ({ flow, stream: 'forward' as const, receiver })),
      ...[...this.#sources]
        .filter(([, { spec }]) => spec.echoEvery > 0)
        .map(([flow, { echo }]) => ({ flow, stream: 'echo' as const, receiver: echo })),
    ];
  }

  #receiver(flow: number, stream: StreamName): Receiver {
    const receiver = stream === 'forward' ? this.#sinks.get(flow)?.receiver : this.#sources.get(flow)?.echo;
    if (receiver === undefined) throw new RangeError(`stream "${stream}" of flow ${flow} is not received here`);
    return receiver;
  }
}

function checkSpec({ id, sizes, packetsPerSecond, echoEvery }: FlowSpec): void {
  if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) throw new RangeError(`${id} cannot be a flow's id`);
  if (sizes.length === 0 || sizes.some((size) => size < HEADER_BYTES)) {
    throw new RangeError(`flow ${id}: every datagram needs ${HEADER_BYTES} bytes or more`);
  }
  if (!(packetsPerSecond > 0)) throw new RangeError(`flow ${id}: a rate of ${packetsPerSecond} packets a second`);
  if (!Number.isInteger(echoEvery) || echoEvery < 0) throw new RangeError(`flow ${id}: it cannot answer every ${echoEvery} datagrams`);
}
