/** The traffic of the scenario: who sends what to whom, and how fast. Pure. */
import { guestOf, type GuestKind, type LabSpec } from './model.js';
import { NEIGHBOUR, SUBJECT } from './scenario.js';
import { GUEST_PORTS, GUEST_TCP_BYTES_PER_SECOND } from './topology_machines.js';
import type { FlowSpec, TcpSpec } from './traffic/protocol.js';

/** A flow of a kind; kinds are what the report draws and lists. */
export interface PlannedFlow {
  readonly kind: string;
  /** Endpoint names: a guest, or `world`. */
  readonly from: string;
  readonly to: string;
  readonly spec: FlowSpec;
}

/** The other guest that g1 talks to all the time; it becomes a neighbour by re-homing. */
const FAR_NEIGHBOUR = 'g3';
const FIRST_PORT = 20_000;
const TCP_PORT = 19_999;
const TCP_BYTES_PER_SECOND = 1_000_000;
/** Payload bytes: smallest, usual and largest of a 1500-byte MTU over IPv6 (1500 - 40 - 8). */
const SIZES = [64, 300, 1452, 700];

interface Group {
  readonly from: string;
  readonly to: string;
  /** Flows of each family. */
  readonly flows: number;
  readonly packetsPerSecond: number;
  readonly echoEvery: number;
  /** Default both. */
  readonly families?: readonly (4 | 6)[];
  /** Default SIZES. */
  readonly sizes?: readonly number[];
}

// About 4000 frames a second with the echoes: two CPUs also have to run everything else.
const GROUPS: readonly Group[] = [
  { from: 'world', to: SUBJECT, flows: 4, packetsPerSecond: 160, echoEvery: 4 },
  { from: SUBJECT, to: 'world', flows: 3, packetsPerSecond: 160, echoEvery: 0 },
  { from: SUBJECT, to: NEIGHBOUR, flows: 1, packetsPerSecond: 150, echoEvery: 4 },
  { from: NEIGHBOUR, to: SUBJECT, flows: 1, packetsPerSecond: 150, echoEvery: 4 },
  { from: SUBJECT, to: FAR_NEIGHBOUR, flows: 1, packetsPerSecond: 80, echoEvery: 2 },
  { from: 'world', to: NEIGHBOUR, flows: 1, packetsPerSecond: 80, echoEvery: 2 },
];

// An emulated CPU carries about 600 frames a second and its guest's own work: what a guest sends is of one size, what it takes has the port of one of its programs.
const MACHINE_GROUPS: readonly Group[] = [
  { from: 'world', to: SUBJECT, flows: 1, packetsPerSecond: 150, echoEvery: 1, families: [4] },
  { from: 'world', to: SUBJECT, flows: 1, packetsPerSecond: 100, echoEvery: 0, families: [6] },
  { from: SUBJECT, to: 'world', flows: 1, packetsPerSecond: 50, echoEvery: 0, families: [4], sizes: [1000] },
  { from: SUBJECT, to: NEIGHBOUR, flows: 1, packetsPerSecond: 50, echoEvery: 1, families: [4], sizes: [400] },
  { from: 'world', to: NEIGHBOUR, flows: 1, packetsPerSecond: 50, echoEvery: 1, families: [4] },
];

const GROUPS_OF: Readonly<Record<GuestKind, readonly Group[]>> = { netns: GROUPS, qemu: MACHINE_GROUPS };

/** What listens in a guest of QEMU, by how often it answers. */
const machinePort = (echoEvery: number): number => (echoEvery === 0 ? GUEST_PORTS.sink : GUEST_PORTS.echo);

const addressOf = (spec: LabSpec, name: string, family: 4 | 6): string => {
  const station = name === 'world' ? spec.world : guestOf(spec, name);
  return family === 4 ? station.ipv4 : station.ipv6;
};

/** Every UDP flow of the scenario; each has a port of its own, so that each has a hash of its own. */
export function plannedFlows(spec: LabSpec): PlannedFlow[] {
  const planned: PlannedFlow[] = [];
  for (const group of GROUPS_OF[spec.kind]) {
    for (const family of group.families ?? ([4, 6] as const)) {
      for (let index = 0; index < group.flows; index += 1) {
        const id = planned.length + 1;
        const port = FIRST_PORT + 2 * id;
        planned.push({
          kind: `${group.from} to ${group.to}`,
          from: group.from,
          to: group.to,
          spec: {
            id,
            family,
            from: { address: addressOf(spec, group.from, family), port },
            to: {
              address: addressOf(spec, group.to, family),
              port: spec.kind === 'qemu' && group.to !== 'world' ? machinePort(group.echoEvery) : port + 1,
            },
            packetsPerSecond: group.packetsPerSecond,
            sizes: group.sizes ?? SIZES,
            echoEvery: group.echoEvery,
          },
        });
      }
    }
  }
  return planned;
}

/** The one TCP connection that lives through the whole run. */
export function plannedTcp(spec: LabSpec): TcpSpec {
  return {
    id: 1,
    family: 4,
    from: spec.world.ipv4,
    to: { address: guestOf(spec, SUBJECT).ipv4, port: spec.kind === 'qemu' ? GUEST_PORTS.tcp : TCP_PORT },
    bytesPerSecond: spec.kind === 'qemu' ? GUEST_TCP_BYTES_PER_SECOND : TCP_BYTES_PER_SECOND,
  };
}

/** Everyone who needs an endpoint process. */
export const endpointNames = (flows: readonly PlannedFlow[]): string[] => [...new Set(flows.flatMap(({ from, to }) => [from, to]))];

/** Frames a second that the flows ask for, echoes included. */
export const plannedRate = (flows: readonly PlannedFlow[]): number =>
  flows.reduce((sum, { spec }) => sum + spec.packetsPerSecond * (1 + (spec.echoEvery > 0 ? 1 / spec.echoEvery : 0)), 0);

/** Of those, what the guest that travels sends and is sent: what it can lose. */
export const subjectRate = (flows: readonly PlannedFlow[]): number =>
  plannedRate(flows.filter(({ from, to }) => from === SUBJECT || to === SUBJECT));
