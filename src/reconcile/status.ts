/** What is told about vNICs and adapters, from what is known of them. Pure. */
import { isUplinkProgram } from '../core/nic_hash.js';
import type { QueueBrief, VnicBrief, VnicPorts } from '../control/controller.js';
import type { AdapterStatus, QueueStatus, QuotaStatus, VnicStatus } from '../control/protocol.js';
import { isPassedThrough } from '../core/adapter_vf.js';
import { limitsOf, NOTHING } from '../core/budget.js';
import { decideCutThrough } from '../core/cut_through.js';
import { hashTypeNames } from '../core/hash_types.js';
import { DEFAULT_HASH_TYPES, RETA_SIZE } from '../core/limits.js';
import type { AdapterSpec, Observed, ObservedLink, SteeringRow, VnicPath } from '../core/model.js';
import { planQueueCpus } from '../core/queue_plan.js';
import { reasonText } from '../core/reasons.js';
import { retaShares } from '../core/reta.js';
import { storedOf } from '../core/rows.js';
import { wantedPath, type Tenant } from '../core/tenant.js';
import { isPoolReason, poolFor, type PoolView } from '../core/tenant_pool.js';
import type { PooledVf } from '../core/vf_pool.js';
import { reasonOf, troubleOf } from '../core/vnic_reason.js';
import { claimedVf } from '../core/vnic_state.js';
import type { Attachment, PathState } from '../dataplane/port.js';

/** One digit behind the point. */
export function percentOf(buckets: number): number {
  return Math.round((buckets * 1000) / RETA_SIZE) / 10;
}

function queueBrief(link: ObservedLink | undefined, cpus: readonly number[]): QueueBrief {
  const queues = link?.txQueues ?? 0;
  const unreachable = planQueueCpus(queues, cpus).flatMap((cpu, queue) => (cpu === null ? [queue] : []));
  return { queues, unreachable };
}

function queueStatus(brief: QueueBrief, steering: SteeringRow | null): QueueStatus {
  return { ...brief, shares: steering === null ? [] : retaShares(steering.reta, steering.queues).map(percentOf) };
}

function detailOf(tenant: Tenant, nowMs: number): string | null {
  const trouble = troubleOf(tenant.state);
  if (trouble === null) return null;
  const waitMs = trouble.notBeforeMs - nowMs;
  return waitMs > 0 ? `${trouble.message}; next attempt in ${(waitMs / 1000).toFixed(1)} s` : trouble.message;
}

export function wantSource(tenant: Tenant): 'policy' | 'operator' {
  return tenant.operatorWant === null ? 'policy' : 'operator';
}

export function reasonOfTenant(tenant: Tenant, path: VnicPath): ReturnType<typeof reasonOf> {
  const reason = reasonOf(tenant.state, wantedPath(tenant), wantSource(tenant), path);
  return tenant.preemptedBy !== null && isPoolReason(reason) ? 'preempted' : reason;
}

function reservationOf({ reservation }: Tenant, nowMs: number): VnicStatus['reservation'] {
  if (reservation === null || nowMs >= reservation.untilMs) return null;
  return { vf: reservation.port, lease_seconds: Math.ceil((reservation.untilMs - nowMs) / 1000), by: reservation.by };
}

export function vnicBrief(tenant: Tenant, observed: Observed | null, { path }: PathState): VnicBrief {
  const { spec } = tenant;
  const vf = claimedVf(tenant.state);
  const cpus = observed?.cpus ?? [];
  return {
    name: spec.name,
    mac: spec.mac,
    vlans: spec.vlans,
    adapter: spec.adapter,
    tap: spec.tap,
    want: wantedPath(tenant),
    path,
    phase: tenant.state.stage.phase,
    reason: reasonOfTenant(tenant, path),
    tap_queues: queueBrief(observed?.links.get(spec.tap), cpus),
    vf_queues: vf === null || isPassedThrough(vf) ? null : queueBrief(observed?.links.get(vf.port), cpus),
  };
}

export function vnicPorts({ spec, state }: Tenant, observed: Observed | null): VnicPorts {
  const vf = claimedVf(state);
  const ifindexOf = (device: string): number | null => observed?.links.get(device)?.ifindex ?? null;
  const accelerated = vf === null ? null : isPassedThrough(vf) ? 'adapter' : ifindexOf(vf.port);
  return { vnic: spec.name, software: ifindexOf(spec.tap), accelerated };
}

export function vnicStatus(tenant: Tenant, observed: Observed | null, path: PathState, nowMs: number): VnicStatus {
  const { spec } = tenant;
  const brief = vnicBrief(tenant, observed, path);
  const { reason, tap_queues, vf_queues } = brief;
  const tap = observed?.links.get(spec.tap);
  const stored = observed === null ? null : storedOf(tenant, observed);
  const cutThrough = decideCutThrough(spec.cutThrough, tap ?? null);
  return {
    ...brief,
    id: tenant.id ?? 0,
    vlan: spec.vlans[0] ?? 0,
    access: spec.access,
    addresses: spec.addresses,
    cut_through: { setting: cutThrough.setting, in_force: cutThrough.inForce, why: cutThrough.why },
    hash_types: hashTypeNames(stored?.tapSteering?.hashTypes ?? DEFAULT_HASH_TYPES),
    want_source: wantSource(tenant),
    reason_text: reasonText(reason, spec, detailOf(tenant, nowMs), tenant.adapter.bridge || undefined),
    vf: claimedVf(tenant.state)?.port ?? null,
    vf_redirect: stored === null || stored.vfIfindex === 0 ? null : stored.vfNoTransmit ? 'tc' : 'xdp',
    max_rate: spec.maxRate,
    terms: { quota: spec.terms.quota, priority: spec.terms.priority, numa_node: spec.terms.numaNode ?? tenant.guestNode },
    reservation: reservationOf(tenant, nowMs),
    generation: path.generation,
    tap_queues: queueStatus(tap_queues, stored?.tapSteering ?? null),
    vf_queues: vf_queues === null ? null : queueStatus(vf_queues, stored?.vfSteering ?? null),
  };
}

function vfStatus({ seen, state, client, amounts }: PooledVf, view: PoolView): AdapterStatus['vfs'][number] {
  const { port, device } = seen.spec;
  const keeper = state === 'reserved' ? view.tenants.find(({ key }) => key === client?.key) : undefined;
  const untilMs = keeper?.reservation?.untilMs ?? null;
  return {
    port,
    device,
    state,
    owner: client?.name ?? null,
    queues: amounts.queues,
    vectors: seen.origin.vectors,
    pf: seen.origin.pf,
    numa_node: seen.origin.numaNode,
    quarantine: view.quarantines.get(port) ?? null,
    lease_seconds: untilMs === null ? null : Math.ceil((untilMs - view.nowMs) / 1000),
  };
}

/** @param view null: nothing has been seen yet */
export function adapterStatus(adapter: AdapterSpec, view: PoolView | null, attachments: readonly Attachment[]): AdapterStatus {
  const uplink = view?.observed.links.get(adapter.uplink);
  const attachment = attachments.find(({ ifindex, program }) => ifindex === uplink?.ifindex && isUplinkProgram(program));
  const pool = view === null ? null : poolFor(view);
  const usage = pool?.usageOf(adapter.name) ?? NOTHING;
  const limits = limitsOf(adapter);
  return {
    name: adapter.name,
    uplink: adapter.uplink,
    bridge: adapter.bridge,
    attached: attachment !== undefined,
    xdp_mode: attachment?.mode ?? null,
    fallback_reason: attachment?.fallbackReason ?? null,
    placement: adapter.rules.placement,
    vfs: view === null || pool === null ? [] : pool.of(adapter.name).map((vf) => vfStatus(vf, view)),
    vfs_used: usage.vfs,
    vfs_limit: limits.vfs,
    queues_used: usage.queues,
    queues_limit: limits.queues,
    vectors_used: usage.vectors,
    vectors_limit: limits.vectors ?? null,
  };
}

/** What vNICs and adapters share, and how much of it is handed out or kept. */
export function quotaStatus(view: PoolView | null): QuotaStatus[] {
  if (view === null) return [];
  return poolFor(view).quotas().map(({ name, ceilings, used }) => ({
    name,
    vfs_used: used.vfs,
    vfs_limit: ceilings.vfs ?? null,
    queues_used: used.queues,
    queues_limit: ceilings.queues ?? null,
    vectors_used: used.vectors,
    vectors_limit: ceilings.vectors ?? null,
  }));
}
