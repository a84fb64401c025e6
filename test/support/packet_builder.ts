/**
 * Frames written as sentences, for tables of packets:
 *   frame().ethernet({ from: MAC_A, to: MAC_B }).vlan(7).ipv4({ from: '10.0.0.1', to: '10.0.0.2' }).udp(1000, 53).payload('hi').build()
 * Every call returns a new builder, so a beginning can be shared. Lengths, next-protocol fields and checksums are right unless
 * a call says otherwise. Nothing is padded to Ethernet's 60 bytes unless asked for.
 */
import {
  type ChecksumKind, type ControlFields, type Ipv4Fields, type Ipv6Fields, type Layer, type Surroundings,
  addressBytes, arpLayer, controlLayer, echoLayer, echoV6Layer, ethernetLayer, EtherType, extensionLayer, IpProtocol,
  ipv4Layer, ipv6Layer, ndLayer, sctpLayer, tagLayer, tcpLayer, udpLayer,
} from './packet_layers.js';

export { EtherType, IpProtocol };
export const BROADCAST = 'ff:ff:ff:ff:ff:ff';

interface State {
  readonly layers: readonly Layer[];
  readonly payload: Buffer;
  /** Of the headers to come. */
  readonly checksum: ChecksumKind;
  /** Applied in order to the whole frame. */
  readonly edits: readonly ((bytes: Buffer) => Buffer)[];
}

export class FrameBuilder {
  readonly #state: State;

  constructor(state: State = { layers: [], payload: Buffer.alloc(0), checksum: 'full', edits: [] }) {
    this.#state = state;
  }

  /** `type` only where no header of this builder follows. */
  ethernet(fields: { readonly from: string; readonly to: string; readonly type?: number }): FrameBuilder {
    return this.#with(ethernetLayer(fields.from, fields.to, fields.type));
  }

  /** 802.1Q. */
  vlan(id: number, priority = 0): FrameBuilder {
    return this.#with(tagLayer(EtherType.vlan, id, priority));
  }

  /** 802.1ad. */
  serviceVlan(id: number, priority = 0): FrameBuilder {
    return this.#with(tagLayer(EtherType.serviceVlan, id, priority));
  }

  ipv4(fields: Ipv4Fields): FrameBuilder {
    return this.#with(ipv4Layer(fields));
  }

  ipv6(fields: Ipv6Fields): FrameBuilder {
    return this.#with(ipv6Layer(fields));
  }

  /** IPv4 or IPv6, whatever the addresses are. */
  ip(from: string, to: string): FrameBuilder {
    return addressBytes(from).length === 4 ? this.ipv4({ from, to }) : this.ipv6({ from, to });
  }

  /** IPv6 hop-by-hop options. */
  hopByHop(length = 8): FrameBuilder {
    return this.#with(extensionLayer(IpProtocol.hopByHop, length));
  }

  /** IPv6 destination options. */
  destinationOptions(length = 8): FrameBuilder {
    return this.#with(extensionLayer(IpProtocol.destination, length));
  }

  /** IPv6 routing header. */
  routing(segmentsLeft: number, length = 8): FrameBuilder {
    return this.#with(extensionLayer(IpProtocol.routing, length, segmentsLeft));
  }

  /** `flags` default: ACK. */
  tcp(from: number, to: number, flags = 0x10): FrameBuilder {
    return this.#with(tcpLayer(from, to, flags, this.#state.checksum));
  }

  udp(from: number, to: number): FrameBuilder {
    return this.#with(udpLayer(from, to, this.#state.checksum));
  }

  /** `checksum` 0: left to the device. */
  sctp(from: number, to: number, checksum = 0xfeed): FrameBuilder {
    return this.#with(sctpLayer(from, to, checksum));
  }

  neighbourSolicitation(target: string): FrameBuilder {
    return this.#with(ndLayer(135, target));
  }

  neighbourAdvertisement(target: string): FrameBuilder {
    return this.#with(ndLayer(136, target));
  }

  /** ICMP echo request. */
  echo(): FrameBuilder {
    return this.#with(echoLayer());
  }

  /** ICMPv6 echo request. */
  echoV6(): FrameBuilder {
    return this.#with(echoV6Layer());
  }

  /** ARP request. */
  arp(fields: { readonly senderMac: string; readonly sender: string; readonly target: string }): FrameBuilder {
    return this.#with(arpLayer(fields.senderMac, fields.sender, fields.target));
  }

  /** The host's and the plug-in's control frame. */
  control(fields: ControlFields): FrameBuilder {
    return this.#with(controlLayer(fields));
  }

  payload(bytes: Uint8Array | string): FrameBuilder {
    return this.#change({ payload: Buffer.from(bytes) });
  }

  /** As a sender leaves it whose device is to finish it: the pseudo-header sum alone. For the TCP or UDP header called after this. */
  partialChecksum(): FrameBuilder {
    return this.#change({ checksum: 'partial' });
  }

  /** UDP over IPv4 may go without. For the header called after this. */
  noChecksum(): FrameBuilder {
    return this.#change({ checksum: 'none' });
  }

  /** Any value. For the header called after this. */
  checksum(value: number): FrameBuilder {
    return this.#change({ checksum: value });
  }

  /** Fills the payload so that the frame has `length` bytes. The headers know: lengths and checksums include it. */
  fillTo(length: number): FrameBuilder {
    const missing = length - this.build().length;
    if (missing < 0) throw new RangeError(`the frame has ${length - missing} bytes already, more than ${length}`);
    const filler = Buffer.from(Array.from({ length: missing }, (_, i) => i & 0xff));
    return this.payload(Buffer.concat([this.#state.payload, filler]));
  }

  /** Zeros after the packet, as Ethernet pads short frames; the headers do not count them. */
  padTo(length: number): FrameBuilder {
    return this.#edit((bytes) => (bytes.length >= length ? bytes : Buffer.concat([bytes, Buffer.alloc(length - bytes.length)])));
  }

  /** Only the first `length` bytes. */
  truncate(length: number): FrameBuilder {
    return this.#edit((bytes) => bytes.subarray(0, length));
  }

  build(): Buffer {
    const { layers, payload, edits } = this.#state;
    const around: Surroundings[] = [];
    let addresses: Uint8Array | null = null;
    for (const layer of layers) {
      around.push({ addresses });
      addresses = layer.addresses ?? addresses;
    }
    // From the inside out: lengths and checksums cover what is inside.
    const packet = layers.reduceRight((inner, layer, i) => layer.wrap(inner, layers[i + 1], around[i]!), payload);
    return Buffer.from(edits.reduce((bytes, edit) => edit(bytes), packet));
  }

  #change(change: Partial<State>): FrameBuilder {
    return new FrameBuilder({ ...this.#state, ...change });
  }

  #with(layer: Layer): FrameBuilder {
    return this.#change({ layers: [...this.#state.layers, layer] });
  }

  #edit(edit: (bytes: Buffer) => Buffer): FrameBuilder {
    return this.#change({ edits: [...this.#state.edits, edit] });
  }
}

export function frame(): FrameBuilder {
  return new FrameBuilder();
}
