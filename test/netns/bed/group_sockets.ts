/** UDP sockets of all stations of a bed, for datagrams to everyone: who got which one how often. */
import { createSocket, type Socket } from 'node:dgram';
import { inNetns } from '../../../src/native/netns.js';
import { openUdpSocket } from '../../../src/native/socket.js';
import type { Bed, Station } from './bed.js';

const PORT4 = 7004;
const PORT6 = 7006;
const GROUP4 = '239.6.6.6';
const GROUP6 = 'ff02::6:6';
const NETWORK_BROADCAST = '10.6.0.255';
const RECEIVE_BYTES = 1 << 20;

export type Cast = 'broadcast' | 'multicast4' | 'multicast6';
export const CASTS: readonly Cast[] = ['broadcast', 'multicast4', 'multicast6'];

interface Ends {
  readonly four: Socket;
  readonly six: Socket;
}

export class GroupSockets {
  readonly #bed: Bed;
  readonly #ends = new Map<string, Ends>();
  /** Arrivals by `station: text`. */
  readonly #arrived = new Map<string, number>();

  constructor(bed: Bed) {
    this.#bed = bed;
    for (const station of bed.stations.values()) this.#ends.set(station.name, this.#open(station));
  }

  #open(station: Station): Ends {
    const netns = `/run/netns/${station.netns}`;
    const listen = (kind: 'udp4' | 'udp6', address: string, port: number): Socket => {
      const socket = createSocket(kind);
      socket.bind({ fd: openUdpSocket({ address, port, receiveBufferBytes: RECEIVE_BYTES, netns }) });
      socket.on('message', (text) => {
        const key = `${station.name}: ${text.toString()}`;
        this.#arrived.set(key, (this.#arrived.get(key) ?? 0) + 1);
      });
      return socket;
    };
    const [four, six] = [listen('udp4', '0.0.0.0', PORT4), listen('udp6', '::', PORT6)];
    // Names of interfaces are those of the namespace that the thread is in.
    inNetns(netns, () => {
      four.addMembership(GROUP4, station.ipv4);
      four.setMulticastInterface(station.ipv4);
      six.addMembership(GROUP6, `::%${station.interface}`);
      six.setMulticastInterface(`::%${station.interface}`);
    });
    four.setBroadcast(true);
    four.setMulticastLoopback(false);
    return { four, six };
  }

  send(from: string, cast: Cast, text: string): void {
    const { four, six } = this.#of(from);
    if (cast === 'multicast6') six.send(text, PORT6, GROUP6);
    else four.send(text, PORT4, cast === 'broadcast' ? NETWORK_BROADCAST : GROUP4);
  }

  /** To one station, over both families; the text says which. */
  sendTo(from: string, to: string, text: string): void {
    const { four, six } = this.#of(from);
    const { ipv4, ipv6 } = this.#bed.station(to);
    four.send(`${text} 4`, PORT4, ipv4);
    six.send(`${text} 6`, PORT6, ipv6);
  }

  count(station: string, text: string): number {
    return this.#arrived.get(`${station}: ${text}`) ?? 0;
  }

  close(): void {
    for (const { four, six } of this.#ends.values()) {
      four.close();
      six.close();
    }
  }

  #of(station: string): Ends {
    const ends = this.#ends.get(station);
    if (ends === undefined) throw new RangeError(`no sockets of ${station}`);
    return ends;
  }
}
