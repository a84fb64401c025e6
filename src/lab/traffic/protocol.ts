/** What an endpoint is asked and answers; see json_lines.ts for the framing. */
import type { Account } from './arrivals.js';
import type { Gap } from './gaps.js';
import type { TimelineData } from './timeline.js';

export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** A UDP flow: numbered datagrams from one address and port to another. */
export interface FlowSpec {
  /** Unique within a run; 0 .. 2^32 - 1. */
  readonly id: number;
  readonly family: 4 | 6;
  readonly from: SocketAddress;
  readonly to: SocketAddress;
  readonly packetsPerSecond: number;
  /** UDP payload bytes, used in turn; each >= 32. */
  readonly sizes: readonly number[];
  /** The sink answers every n-th datagram on the same flow; 0 = never. */
  readonly echoEvery: number;
}

/** `forward` numbers the flow's datagrams, `echo` the sink's answers. */
export type StreamName = 'forward' | 'echo';

/** The numbers from..to-1 of one stream. */
export interface StreamRange {
  readonly flow: number;
  readonly stream: StreamName;
  readonly from: number;
  readonly to: number;
}

/** One end of one stream that this endpoint sends. */
export interface SentSoFar {
  readonly flow: number;
  readonly stream: StreamName;
  /** Datagrams given to the socket; also the next number. */
  readonly sent: number;
}

export interface StreamTotals extends SentSoFar {
  readonly bytes: number;
  /** Of those, refused by the socket; the last error's code. */
  readonly sendErrors: number;
  readonly lastError: string | null;
  /** Not sent because this process was not let run in time. */
  readonly skipped: number;
}

export interface ReceivedTotals extends Omit<Account, 'sent' | 'lost'> {
  readonly flow: number;
  readonly stream: StreamName;
  readonly highest: number;
}

/** Datagrams that belong to no flow of this endpoint, and what its sockets' kernel side dropped. */
export interface EndpointErrors {
  /** Not made by an endpoint at all. */
  readonly foreign: number;
  /** Made by one, but the header is damaged, so that the flow is unknown. */
  readonly damagedHeaders: number;
  /** Intact, but for a flow that this endpoint does not have: delivered to the wrong place. */
  readonly misdelivered: number;
  /** /proc/net/snmp and snmp6 of this network namespace since the start: bad checksums, and receive buffers that ran over. */
  readonly kernelChecksumErrors: number;
  readonly kernelBufferErrors: number;
}

export interface TcpSpec {
  readonly id: number;
  readonly family: 4 | 6;
  /** The client's address; its port is the kernel's choice. */
  readonly from: string;
  readonly to: SocketAddress;
  /** In each direction. */
  readonly bytesPerSecond: number;
}

/** One end of a TCP stream. Stalls are pauses in what arrives, while the other side sends. */
export interface TcpReport {
  readonly tcp: number;
  readonly connected: boolean;
  /** Connected, and nothing has gone wrong so far. */
  readonly alive: boolean;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Eight-byte words that were not the next of the stream. */
  readonly wrongWords: number;
  /** Includes the one that lasts. */
  readonly longestStallMs: number;
  /** Those of 50 ms and more; startMs is CLOCK_MONOTONIC. */
  readonly stalls: readonly { readonly startMs: number; readonly lengthMs: number }[];
  readonly errors: readonly string[];
  readonly timeline: TimelineData;
}

type Nothing = Readonly<Record<string, never>>;

export type EndpointProtocol = {
  /** Opens the socket of the flow's sending end. Nothing is sent yet. */
  'add-source': { request: { readonly flow: FlowSpec }; reply: Nothing };
  'add-sink': { request: { readonly flow: FlowSpec }; reply: Nothing };
  /** Sends an unnumbered datagram there and back until one returned: neighbours are then resolved. Fails after timeoutMs. */
  probe: {
    request: { readonly flow: number; readonly timeoutMs: number };
    reply: { readonly roundTripUs: number; readonly attempts: number };
  };
  start: { request: { readonly flows: readonly number[] }; reply: Nothing };
  stop: { request: { readonly flows: readonly number[] }; reply: Nothing };
  /** What this endpoint has sent: `forward` of its sources, `echo` of its sinks. */
  sent: { request: Nothing; reply: { readonly sent: readonly SentSoFar[] } };
  /** What became of the numbers of streams that this endpoint receives. */
  account: { request: { readonly ranges: readonly StreamRange[] }; reply: { readonly accounts: readonly Account[] } };
  /** The first `limit` runs [first, last] that never arrived. */
  missing: { request: StreamRange & { readonly limit: number }; reply: { readonly runs: readonly (readonly [number, number])[] } };
  timelines: {
    request: Nothing;
    reply: { readonly timelines: readonly { readonly flow: number; readonly stream: StreamName; readonly timeline: TimelineData }[] };
  };
  /** Everything at once, for a look while it runs. */
  snapshot: {
    request: Nothing;
    reply: {
      readonly monotonicMs: number;
      readonly sent: readonly StreamTotals[];
      readonly received: readonly ReceivedTotals[];
      readonly errors: EndpointErrors;
    };
  };
  'tcp-listen': { request: { readonly tcp: TcpSpec }; reply: Nothing };
  /** Resolves when connected. */
  'tcp-connect': { request: { readonly tcp: TcpSpec }; reply: Nothing };
  'tcp-start': { request: { readonly tcp: number }; reply: Nothing };
  'tcp-stop': { request: { readonly tcp: number }; reply: Nothing };
  'tcp-report': { request: { readonly tcp: number }; reply: TcpReport };
};

export type { Account, Gap, TimelineData };
