/**
 * How a guest's flows are spread, from the host that it leaves to the one that it goes to: the RSS key, learnt flows, and what an operator
 * set of shares and hash types.
 */
import { type ControlClient, RequestError } from './client.js';
import type { VnicStatus } from './protocol.js';
import type { RssRequest, RssVnic } from './rss_protocol.js';

export interface CopiedVnic {
  readonly vnic: string;
  readonly flows: number;
  /** They wait there until the guest has arrived. */
  readonly waits: boolean;
}

export interface CopiedSteering {
  readonly vnics: readonly CopiedVnic[];
  /** What will be otherwise there, or could not be brought; one sentence each. */
  readonly notes: readonly string[];
}

type Asked = Pick<ControlClient, 'status' | 'rss' | 'flows'>;
type Told = Pick<ControlClient, 'status' | 'rss' | 'putFlows' | 'setRss'>;

const isSame = (a: readonly unknown[] | null, b: readonly unknown[] | null): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The same vNIC as another host knows it, by MAC address and VLANs. */
function counterpart(vnic: VnicStatus, others: readonly VnicStatus[]): VnicStatus | undefined {
  return others.find(({ mac, vlans }) => mac === vnic.mac && vlans.some((vlan) => vnic.vlans.includes(vlan)));
}

/** The key, and what an operator set for it there, where it is not so here already. */
function settingsToBring(from: RssVnic, to: RssVnic | undefined): Pick<RssRequest, 'key' | 'weights' | 'hash_types'> {
  const bringsWeights = from.weights_source === 'operator' && !isSame(from.weights, to?.weights ?? null);
  const bringsTypes = from.hash_types_source === 'operator' && !isSame(from.hash_types, to?.hash_types ?? null);
  const bringsKey = from.key !== to?.key;
  return { ...(bringsKey ? { key: from.key } : {}), ...(bringsWeights ? { weights: from.weights ?? [] } : {}), ...(bringsTypes ? { hash_types: from.hash_types } : {}) };
}

function difference(vnic: RssVnic, other: RssVnic | undefined): string | null {
  const same = vnic.weights_source === 'operator' || other === undefined || isSame(vnic.weights, other.weights);
  return same ? null : `the configurations give the queues of ${vnic.name} other shares`;
}

/** @param names of the vNICs at the source @throws DaemonUnreachableError, RequestError */
export async function copySteering(from: Asked, to: Told, names: readonly string[]): Promise<CopiedSteering> {
  const [here, there, rssHere, rssThere] = await Promise.all([from.status(), to.status(), from.rss(), to.rss()]);
  const copied: CopiedVnic[] = [];
  const notes = new Set<string>();
  for (const vnic of here.vnics.filter(({ name }) => names.includes(name))) {
    const other = counterpart(vnic, there.vnics);
    if (other === undefined) {
      notes.add(`the other host knows no vNIC with ${vnic.mac}: nothing of ${vnic.name} was brought there`);
      continue;
    }
    const { seed, slots, flows } = await from.flows(vnic.name);
    if (seed !== null) {
      const { taken, waits } = await to.putFlows(other.name, { seed, slots, flows });
      copied.push({ vnic: vnic.name, flows: taken, waits });
    }
    const spread = rssHere.vnics.find(({ name }) => name === vnic.name);
    if (spread === undefined) continue;
    const spreadThere = rssThere.vnics.find(({ name }) => name === other.name);
    const settings = settingsToBring(spread, spreadThere);
    if (Object.keys(settings).length > 0) {
      await to.setRss(other.name, settings).catch((error: unknown) => {
        if (!(error instanceof RequestError)) throw error;
        notes.add(`the settings of ${other.name} were not taken: ${error.message}`);
      });
    }
    const note = difference(spread, spreadThere);
    if (note !== null) notes.add(note);
  }
  return { vnics: copied, notes: [...notes] };
}
