/** The UDP sockets of an endpoint: one for each local address and port, whatever number of flows use it. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { openUdpSocket } from '../../native/socket.js';
import type { SocketAddress } from './protocol.js';

/** So large that only the network loses datagrams, not a process that was not let run for a second. */
const RECEIVE_BUFFER_BYTES = 64 * 1024 * 1024;

export type OnDatagram = (socket: Socket, datagram: Buffer, from: RemoteInfo) => void;

export class UdpSockets {
  readonly #sockets = new Map<string, Socket>();
  readonly #onDatagram: OnDatagram;

  constructor(onDatagram: OnDatagram) {
    this.#onDatagram = onDatagram;
  }

  /** Resolves when bound. @throws NativeError, e.g. EADDRNOTAVAIL */
  async open(family: 4 | 6, { address, port }: SocketAddress): Promise<Socket> {
    const key = `${address} ${port}`;
    const known = this.#sockets.get(key);
    if (known !== undefined) return known;
    const fd = openUdpSocket({ address, port, receiveBufferBytes: RECEIVE_BUFFER_BYTES });
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      // Addresses are numbers: without this every datagram would wait for a tick of the resolver.
      lookup: (host, _options, done) => done(null, host, family),
    });
    this.#sockets.set(key, socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ fd, exclusive: true }, resolve);
    });
    socket.on('message', (datagram, from) => this.#onDatagram(socket, datagram, from));
    return socket;
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }
}
