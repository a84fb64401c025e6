/** The lab's handle on one endpoint process: one method for each request of protocol.ts. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabChild } from '../child.js';
import type { Account } from './arrivals.js';
import type {
  EndpointProtocol, FlowSpec, SentSoFar, StreamName, StreamRange, TcpReport, TcpSpec, TimelineData,
} from './protocol.js';

const endpointScript = join(fileURLToPath(new URL('.', import.meta.url)), 'endpoint.js');

export type EndpointSnapshot = EndpointProtocol['snapshot']['reply'];
export type StreamTimeline = { readonly flow: number; readonly stream: StreamName; readonly timeline: TimelineData };

export class Endpoint {
  readonly #child: LabChild<EndpointProtocol>;

  private constructor(
    /** Network namespace it is in; null is the caller's. */
    readonly netns: string | null,
    child: LabChild<EndpointProtocol>,
  ) {
    this.#child = child;
  }

  /** @param netns name below /run/netns, or a path. @throws Error with the process's own words when it does not start */
  static async start(netns: string | null): Promise<Endpoint> {
    const name = `traffic endpoint in ${netns ?? 'this namespace'}`;
    return new Endpoint(netns, await LabChild.start<EndpointProtocol>({ name, netns, argv: [endpointScript] }));
  }

  get pid(): number {
    return this.#child.pid;
  }

  async addSource(flow: FlowSpec): Promise<void> {
    await this.#child.request('add-source', { flow });
  }

  async addSink(flow: FlowSpec): Promise<void> {
    await this.#child.request('add-sink', { flow });
  }

  /** Sends there and back until it worked once. @throws when it does not within timeoutMs */
  probe(flow: number, timeoutMs = 5000): Promise<{ readonly roundTripUs: number; readonly attempts: number }> {
    return this.#child.request('probe', { flow, timeoutMs }, timeoutMs + 5000);
  }

  async startFlows(flows: readonly number[]): Promise<void> {
    await this.#child.request('start', { flows });
  }

  /** Stops sending at once; what is in flight still arrives. */
  async stopFlows(flows: readonly number[]): Promise<void> {
    await this.#child.request('stop', { flows });
  }

  async sent(): Promise<readonly SentSoFar[]> {
    return (await this.#child.request('sent', {})).sent;
  }

  /** What became of ranges of streams that this endpoint receives, in the order asked. */
  async account(ranges: readonly StreamRange[]): Promise<readonly Account[]> {
    return (await this.#child.request('account', { ranges })).accounts;
  }

  async missing(range: StreamRange, limit = 20): Promise<readonly (readonly [first: number, last: number])[]> {
    return (await this.#child.request('missing', { ...range, limit })).runs;
  }

  async timelines(): Promise<readonly StreamTimeline[]> {
    return (await this.#child.request('timelines', {})).timelines;
  }

  snapshot(): Promise<EndpointSnapshot> {
    return this.#child.request('snapshot', {});
  }

  async listenTcp(tcp: TcpSpec): Promise<void> {
    await this.#child.request('tcp-listen', { tcp });
  }

  async connectTcp(tcp: TcpSpec): Promise<void> {
    await this.#child.request('tcp-connect', { tcp });
  }

  async startTcp(id: number): Promise<void> {
    await this.#child.request('tcp-start', { tcp: id });
  }

  async stopTcp(id: number): Promise<void> {
    await this.#child.request('tcp-stop', { tcp: id });
  }

  tcpReport(id: number): Promise<TcpReport> {
    return this.#child.request('tcp-report', { tcp: id });
  }

  /** Ends the process. */
  close(): Promise<void> {
    return this.#child.close();
  }
}

/** What traffic needs of an end, whatever it is: an endpoint process, or a guest's own programs. */
export type TrafficEnd = Pick<
  Endpoint,
  | 'addSource' | 'addSink' | 'probe' | 'startFlows' | 'stopFlows' | 'sent' | 'account' | 'missing' | 'timelines' | 'snapshot'
  | 'listenTcp' | 'connectTcp' | 'startTcp' | 'stopTcp' | 'tcpReport' | 'close'
>;
