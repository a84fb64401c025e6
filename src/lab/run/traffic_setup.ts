/** Starts the endpoints of the scenario and opens its flows. */
import type { LabSpec } from '../model.js';
import { endpointNames, plannedFlows, plannedTcp, type PlannedFlow } from '../flows.js';
import { namespaceOf, type LabPlace } from '../place.js';
import { SUBJECT } from '../scenario.js';
import { Endpoint, type TrafficEnd } from '../traffic/client.js';
import type { TcpSpec } from '../traffic/protocol.js';
import { Traffic } from '../traffic/traffic.js';
import type { Guests } from './guests.js';

const WORLD = 'world';
/** The first frame to a guest waits for its neighbour discovery, on an emulated CPU. */
const PROBE_MS = 10_000;

export interface RunningTraffic {
  readonly traffic: Traffic;
  readonly flows: readonly PlannedFlow[];
  readonly tcp: TcpSpec;
  readonly endpoints: ReadonlyMap<string, TrafficEnd>;
  close(): Promise<void>;
}

/** Everything is connected when this resolves; numbered frames do not flow yet. @throws Error when a guest cannot be reached */
export async function setUpTraffic(place: LabPlace, spec: LabSpec, guests: Guests): Promise<RunningTraffic> {
  const flows = plannedFlows(spec);
  const tcp = plannedTcp(spec);
  const endpoints = new Map<string, TrafficEnd>();
  const close = async (): Promise<void> => {
    await Promise.all([...endpoints.values()].map((endpoint) => endpoint.close()));
  };
  const endpoint = (name: string): TrafficEnd => {
    const found = endpoints.get(name);
    if (found === undefined) throw new RangeError(`there is no endpoint "${name}"`);
    return found;
  };
  try {
    const started = await Promise.allSettled(
      endpointNames(flows).map(async (name) => endpoints.set(name, await (name === WORLD ? Endpoint.start(namespaceOf(place, name)) : guests.endpoint(name)))),
    );
    for (const result of started) if (result.status === 'rejected') throw result.reason;
    const traffic = new Traffic();
    for (const { spec: flow, from, to } of flows) await traffic.addFlow(flow, endpoint(from), endpoint(to), PROBE_MS);
    await traffic.addTcp(tcp, endpoint(WORLD), endpoint(SUBJECT));
    return { traffic, flows, tcp, endpoints, close };
  } catch (error) {
    await close();
    throw error;
  }
}
