/** What unipathd of each host of a lab says on its socket, on the loopback: Prometheus scrapes no unix sockets. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ControlClient } from '../../src/control/client.js';

export interface Forwarder {
  /** address:port; what a daemon says is at its path. */
  readonly address: string;
  close(): void;
}

/** @param sockets path of the address -> socket; a daemon that does not answer is a scrape that fails */
export async function forwardScrapes(sockets: ReadonlyMap<string, string>): Promise<Forwarder> {
  const server = createServer((request, response) => {
    const socket = sockets.get(request.url ?? '');
    if (socket === undefined) {
      response.writeHead(404).end(`there are ${[...sockets.keys()].join(', ')}\n`);
      return;
    }
    new ControlClient(socket).metrics().then(
      (text) => response.end(text),
      (error: Error) => response.writeHead(503).end(error.message),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
