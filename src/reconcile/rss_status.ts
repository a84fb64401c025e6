/** What is told about RSS, and what a command about it would change. Pure. */
import type { QueueShare, RssChange, RssPort, RssStatus, RssVnic } from '../control/rss_protocol.js';
import { hashTypeNames } from '../core/hash_types.js';
import { MAX_QUEUES } from '../core/limits.js';
import { NO_RSS_WISH, type Desired, type HostRssWish, type Observed, type ObservedLink, type ObservedRss, type SteeringRow, type VnicRssWish } from '../core/model.js';
import { planSteering, sameSteering, unreachableQueues } from '../core/queue_plan.js';
import { retaShares } from '../core/reta.js';
import { hashTypesFor, spreadFor, weightsFor, type SettingSource } from '../core/rss_wish.js';
import { storedOf } from '../core/rows.js';
import type { Tenant } from '../core/tenant.js';
import { claimedVf } from '../core/vnic_state.js';
import { percentOf } from './status.js';

/** A port of a vNIC as flows are spread over it now. */
interface SpreadPort {
  readonly role: 'tap' | 'vf';
  readonly link: ObservedLink;
  readonly row: SteeringRow;
}

function portsOf(tenant: Tenant, observed: Observed): SpreadPort[] {
  const stored = storedOf(tenant, observed);
  const rows = [
    ['tap', tenant.spec.tap, stored?.tapSteering ?? null],
    ['vf', claimedVf(tenant.state)?.port ?? '', stored?.vfSteering ?? null],
  ] as const;
  return rows.flatMap(([role, device, row]) => {
    const link = observed.links.get(device);
    return link === undefined || row === null ? [] : [{ role, link, row }];
  });
}

function portStatus({ role, link, row }: SpreadPort): RssPort {
  const shares = retaShares(row.reta, row.queues).map(
    (buckets, queue): QueueShare => ({ queue, buckets, percent: percentOf(buckets), cpu: row.queueCpus[queue] ?? null }),
  );
  return { role, device: link.name, queues: row.queues, reta: row.reta, shares, unreachable: unreachableQueues(row) };
}

/** Where the weights ask for what cannot be. */
function problemsWith(weights: readonly number[], ports: readonly SpreadPort[]): string[] {
  return ports.flatMap(({ link, row }) => {
    const unreachable = unreachableQueues(row).filter((queue) => (weights[queue] ?? 0) > 0);
    const beyond = weights.length > row.queues ? [`${link.name} has ${row.queues} queues, and there are ${weights.length} weights`] : [];
    if (unreachable.length === 0) return beyond;
    return [...beyond, `no CPU reaches queue ${unreachable.join(', ')} of ${link.name}: its share goes to the others`];
  });
}

function vnicStatus(tenant: Tenant, desired: Desired, observed: Observed): RssVnic {
  const host = observed.rss.wish;
  const types = hashTypesFor(tenant.rssWish, host, desired.rss);
  const weights = weightsFor(tenant.rssWish, host, tenant.spec);
  const ports = portsOf(tenant, observed);
  return {
    name: tenant.spec.name,
    key: keyOf(tenant.rssWish, observed.rss),
    key_source: tenant.rssWish.keyRow === null ? hostKeySource(desired, observed.rss) : 'operator',
    hash_types: hashTypeNames(types.value),
    hash_types_source: types.source,
    weights: weights.value.length === 0 ? null : weights.value,
    weights_source: weights.source,
    problems: problemsWith(weights.value, ports),
    ports: ports.map(portStatus),
  };
}

function keySource({ keyByOperator, keyIsRandom }: HostRssWish, desired: Desired): SettingSource {
  if (keyByOperator) return 'operator';
  return keyIsRandom && desired.rss.key === 'random' ? 'default' : 'configuration';
}

function keyProblem(desired: Desired, { wish, nicKey }: ObservedRss): string | null {
  return !wish.keyByOperator && desired.rss.key === 'nic' && nicKey !== null && 'problem' in nicKey ? nicKey.problem : null;
}

function hostKeySource(desired: Desired, rss: ObservedRss): SettingSource {
  return keyProblem(desired, rss) === null ? keySource(rss.wish, desired) : 'default';
}

/** The key that a vNIC's flows are hashed with, in hexadecimal digits. */
export function keyOf(own: VnicRssWish, { keys, wish }: ObservedRss): string {
  return keys[own.keyRow ?? wish.keyRow] ?? '';
}

export function rssStatus(desired: Desired, tenants: readonly Tenant[], observed: Observed): RssStatus {
  const { wish, keys } = observed.rss;
  const types = hashTypesFor(NO_RSS_WISH, wish, desired.rss);
  return {
    key: keys[wish.keyRow] ?? '',
    key_source: hostKeySource(desired, observed.rss),
    key_random: wish.keyIsRandom,
    key_problem: keyProblem(desired, observed.rss),
    hash_types: hashTypeNames(types.value),
    hash_types_source: types.source,
    vnics: tenants.map((tenant) => vnicStatus(tenant, desired, observed)),
  };
}

/** Most queues of any port that the weights are for. */
export function mostQueues(tenants: readonly Tenant[], observed: Observed): number {
  const queues = tenants.flatMap((tenant) => portsOf(tenant, observed).map(({ row }) => row.queues));
  return queues.length === 0 ? MAX_QUEUES : Math.max(...queues);
}

/** How flows would be spread with other wishes. */
function planned(tenant: Tenant, { link, row }: SpreadPort, own: VnicRssWish, host: HostRssWish, desired: Desired, observed: Observed): SteeringRow {
  const spread = { ...spreadFor(own, host, desired.rss, tenant.spec), rssRow: row.rssRow, nicHash: row.nicHash };
  return planSteering(link.txQueues, observed.cpus, tenant.id ?? 0, spread, row) ?? row;
}

/** Is every port spread over as it shall be? */
export function isSpreadAsWanted(desired: Desired, tenants: readonly Tenant[], observed: Observed): boolean {
  const { wish } = observed.rss;
  return tenants.every((tenant) =>
    portsOf(tenant, observed).every(
      (port) => port.row.rssRow === (tenant.rssWish.keyRow ?? wish.keyRow) && sameSteering(port.row, planned(tenant, port, tenant.rssWish, wish, desired, observed)),
    ),
  );
}

const sharesText = ({ reta, queues }: SteeringRow): string => retaShares(reta, queues).map((buckets) => `${percentOf(buckets)} %`).join(', ');

/** What another wish (of one tenant, or of the host) would change at the ports. */
export function changesBy(
  tenants: readonly Tenant[],
  wishOf: (tenant: Tenant) => VnicRssWish,
  host: HostRssWish,
  desired: Desired,
  observed: Observed,
): RssChange[] {
  return tenants.flatMap((tenant) =>
    portsOf(tenant, observed).flatMap((port): RssChange[] => {
      const after = planned(tenant, port, wishOf(tenant), host, desired, observed);
      const where = { vnic: tenant.spec.name, device: port.link.name };
      const moved = after.reta.filter((queue, bucket) => queue !== port.row.reta[bucket]).length;
      const changes: RssChange[] = [];
      if (moved > 0) changes.push({ ...where, what: `shares of its queues become ${sharesText(after)}`, buckets_moved: moved });
      if (after.hashTypes !== port.row.hashTypes) {
        changes.push({ ...where, what: `hash types become ${hashTypeNames(after.hashTypes).join(',')}`, buckets_moved: 0 });
      }
      return changes;
    }),
  );
}
