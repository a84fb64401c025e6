/**
 * A traffic endpoint: one process in one network namespace that sends, receives, checks and counts. Knows only what it is told
 * by JSON lines on its stdin (protocol.ts), and ends when that closes.
 */
import { emitEvent, type Handlers, monotonicMs, serveJsonLines } from '../json_lines.js';
import { kernelUdpErrors } from './kernel_errors.js';
import type { EndpointProtocol } from './protocol.js';
import { TcpEnd } from './tcp_stream.js';
import { UdpFlows } from './udp_flows.js';

const flows = new UdpFlows();
const tcpEnds = new Map<number, TcpEnd>();
const errorsBefore = await kernelUdpErrors();

function tcpEnd(id: number): TcpEnd {
  const end = tcpEnds.get(id);
  if (end === undefined) throw new RangeError(`no TCP stream ${id} here`);
  return end;
}

const handlers: Handlers<EndpointProtocol> = {
  'add-source': async ({ flow }) => {
    await flows.addSource(flow);
    return {};
  },
  'add-sink': async ({ flow }) => {
    await flows.addSink(flow);
    return {};
  },
  probe: ({ flow, timeoutMs }) => flows.probe(flow, timeoutMs),
  start: (request) => {
    flows.start(request.flows);
    return {};
  },
  stop: (request) => {
    flows.stop(request.flows);
    return {};
  },
  sent: () => ({ sent: flows.sent() }),
  account: ({ ranges }) => ({ accounts: ranges.map((range) => flows.account(range)) }),
  missing: (request) => ({ runs: flows.missing(request, request.limit) }),
  timelines: () => ({ timelines: flows.timelines() }),
  snapshot: async () => {
    const { checksum, buffer } = await kernelUdpErrors();
    return {
      monotonicMs: monotonicMs(),
      sent: flows.totals(),
      received: flows.received(),
      errors: {
        ...flows.errors(),
        kernelChecksumErrors: checksum - errorsBefore.checksum,
        kernelBufferErrors: buffer - errorsBefore.buffer,
      },
    };
  },
  'tcp-listen': async ({ tcp }) => {
    const end = new TcpEnd(tcp);
    await end.listen();
    tcpEnds.set(tcp.id, end);
    return {};
  },
  'tcp-connect': async ({ tcp }) => {
    const end = new TcpEnd(tcp);
    await end.connect();
    tcpEnds.set(tcp.id, end);
    return {};
  },
  'tcp-start': ({ tcp }) => {
    tcpEnd(tcp).start();
    return {};
  },
  'tcp-stop': ({ tcp }) => {
    tcpEnd(tcp).stop();
    return {};
  },
  'tcp-report': ({ tcp }) => tcpEnd(tcp).report(),
};

await serveJsonLines(handlers, { socketPath: null, onEnd: () => process.exit(0) });
emitEvent('ready', { pid: process.pid });
