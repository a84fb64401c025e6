/** /metrics over TCP, for a Prometheus that cannot read a unix socket. Serves nothing else. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type MetricsSource, sendScrape } from '../control/scrape.js';

export interface MetricsListener {
  readonly port: number;
  close(): Promise<void>;
}

/** `port` 0: any free one. @throws when the address cannot be listened on, with what to do */
export async function listenForScrapes(source: MetricsSource, host: string, port: number): Promise<MetricsListener> {
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000, maxHeaderSize: 8_192 }, (request, response) => {
    const isScrape = request.method === 'GET' && /^\/metrics(\?|$)/.test(request.url ?? '');
    if (!isScrape) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('metrics are at /metrics\n');
      return;
    }
    sendScrape(source, response).catch((error: Error) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error.message}\n`));
  });
  server.maxConnections = 64;
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why: Readonly<Record<string, string>> = {
        EADDRINUSE: 'something listens there already; choose another port in metrics.listen',
        EADDRNOTAVAIL: 'this machine has no such address; correct metrics.listen',
        ENOTFOUND: 'this name has no address; correct metrics.listen',
      };
      reject(new Error(`cannot serve metrics on ${host} port ${port}: ${why[error.code ?? ''] ?? error.message}`));
    });
    server.listen(port, host, () => resolve());
  });
}
