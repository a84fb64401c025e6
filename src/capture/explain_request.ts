/** Answers `flow.explain`: a flow in words, or frames, to what the pinned programs would do with them. */
import ipaddr from 'ipaddr.js';
import { hostMaps, PathBit, VnicPath } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import type { ExplainFlow, ExplainReply, ExplainRequest } from '../control/protocol.js';
import type { Arrival } from '../core/packet/model.js';
import { openBound } from '../dataplane/bound_program.js';
import { openPacketState } from '../dataplane/packet_state.js';
import type { Site, SiteVnic } from '../dataplane/site.js';
import { interfaceNamed, LookupError, vnicNamed } from '../dataplane/site_names.js';
import { XdpLink } from '../native/link.js';
import { RawMap } from '../native/map.js';
import { BpfProgram } from '../native/program.js';
import { explain } from './explain.js';
import { makeFrame } from './frame.js';

/** Of a station that nobody has heard of: locally administered. */
const SOME_STATION = '02:00:00:00:00:fe';
const TCP = 6;
const UDP = 17;
const SCTP = 132;
const WITH_PORTS = new Set([TCP, UDP, SCTP]);

const wrong = (message: string, hint: string | null = null): LookupError => new LookupError(message, 'bad_flow', hint);

/** @throws LookupError for what cannot be meant */
export function explainRequest(site: Site, request: ExplainRequest): Omit<ExplainReply, 'schema'> {
  const { rx_queue = 0, cpu = 0, flow, frames = [] } = request;
  const asked = frames.map(({ frame, interface: on }) => ({
    frame: bytesOf(frame),
    ifindex: arrivalOf(site, { ...request, ...(on === null ? {} : { interface: on }) }),
  }));
  if (flow !== undefined) {
    const ifindex = arrivalOf(site, request);
    asked.push({ frame: frameOf(site, request, flow, ifindex), ifindex });
  }
  const { state, clock, close } = openPacketState(site.pins);
  try {
    const programs = programsOf(site);
    const explanations = asked.map(({ frame, ifindex }) => {
      const program = programs(ifindex);
      if (program === null) throw wrong(`another program is on ${site.link(ifindex)}`, 'start unipathd again');
      return explain(state, site, frame, { program, ifindex, rxQueue: rx_queue, cpu }, clock.secondsPerTick);
    });
    return { explanations };
  } finally {
    close();
  }
}

function bytesOf(hex: string): Buffer {
  if (!/^([0-9a-fA-F]{2})*$/.test(hex)) throw wrong('a frame is an even number of hexadecimal digits');
  return Buffer.from(hex, 'hex');
}

/** Which of our programs runs there. */
function programsOf(site: Site): (ifindex: number) => Arrival['program'] | null {
  const names = ['steer_uplink', 'steer_guest'] as const;
  const ids = names.map((name) => {
    const program = BpfProgram.fromPin(site.pins.program(name));
    const { id } = program;
    program.close();
    return id;
  });
  return (ifindex) => {
    const link = XdpLink.fromPin(site.pins.link(ifindex));
    const { programId } = link.info();
    link.close();
    const bound = openBound(site.pins, ifindex);
    const asksNic = bound?.id === programId;
    bound?.close();
    return asksNic ? 'steer_uplink' : (names[ids.indexOf(programId)] ?? null);
  };
}

/** ifindex of where the frame comes in: as said, or the usual place of a vNIC's frames. */
function arrivalOf(site: Site, { vnic, from, interface: on }: ExplainRequest): number {
  if (on !== undefined) return interfaceNamed(site, on);
  if (vnic === undefined)
    throw wrong('it is not said where the frame comes in', 'give --in DEV, or --vnic NAME with --from wire or --from guest');
  const row = vnicNamed(site, vnic);
  if (from === 'guest') return isAccelerated(site, row) ? row.vfIfindex : row.tapIfindex;
  return row.uplinkIfindex;
}

function isAccelerated(site: Site, { id, vfIfindex }: SiteVnic): boolean {
  const paths = RawMap.fromPin(site.pins.map('paths'));
  try {
    const row = paths.get(encode(u32, id));
    const word = row === null ? 0n : hostMaps.paths.value.read(row).word;
    return vfIfindex !== 0 && Number(word & BigInt(PathBit.MASK)) === VnicPath.ACCELERATED;
  } finally {
    paths.close();
  }
}

/** A group address, too. */
function checkMac(text: string, option: string): string {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw wrong(`${option} ${text}: not a MAC address`);
  return text.toLowerCase();
}

function checkAddress(text: string, option: string): string {
  if (!ipaddr.isValid(text) || (ipaddr.IPv4.isValid(text) && !ipaddr.IPv4.isValidFourPartDecimal(text)) || text.includes('%'))
    throw wrong(`${option} ${text}: not an IPv4 or IPv6 address`);
  return text;
}

function frameOf(site: Site, request: ExplainRequest, flow: ExplainFlow, ifindex: number): Buffer {
  const { protocol } = flow;
  const row = request.vnic === undefined ? undefined : vnicNamed(site, request.vnic);
  const atGuest =
    row !== undefined &&
    (request.from === 'guest' || (ifindex !== row.uplinkIfindex && (ifindex === row.tapIfindex || ifindex === row.vfIfindex)));
  const from = flow.source_mac === undefined ? (atGuest ? row.mac : SOME_STATION) : checkMac(flow.source_mac, '--smac');
  const to = flow.destination_mac === undefined ? (atGuest ? undefined : row?.mac) : checkMac(flow.destination_mac, '--dmac');
  if (to === undefined) {
    throw wrong(
      'it is not said for which MAC address the frame is',
      atGuest ? 'give --dmac: the address of the neighbour or of the gateway' : 'give --dmac, or --vnic NAME',
    );
  }
  const own = row === undefined || (atGuest && row.access) ? 0 : (row.vlans[0] ?? 0);
  const vlan = flow.vlan ?? own;
  if (WITH_PORTS.has(protocol) && (flow.source_port === undefined || flow.destination_port === undefined))
    throw wrong('TCP, UDP and SCTP have ports', 'give --sport and --dport');
  const ports = WITH_PORTS.has(protocol) ? { source: flow.source_port ?? 0, destination: flow.destination_port ?? 0 } : null;
  if (ports === null && (flow.source_port ?? flow.destination_port) !== undefined) throw wrong(`protocol ${protocol} has no ports`);
  try {
    return makeFrame({
      from,
      to,
      vlan: vlan === 0 ? null : vlan,
      source: checkAddress(flow.source, '--src'),
      destination: checkAddress(flow.destination, '--dst'),
      protocol,
      ports,
      length: flow.length ?? null,
    });
  } catch (error) {
    if (error instanceof RangeError) throw wrong(error.message);
    throw error;
  }
}
