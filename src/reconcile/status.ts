/** What is told about vNICs and adapters, from what is known of them. Pure. */
import type { QueueBrief, VnicBrief } from '../control/controller.js';
import type { AdapterStatus, QueueStatus, VnicStatus } from '../control/protocol.js';
import { isPassedThrough } from '../core/adapter_vf.js';
import { limitsOf } from '../core/budget.js';
import { decideCutThrough } from '../core/cut_through.js';
import { hashTypeNames } from '../core/hash_types.js';
import { DEFAULT_HASH_TYPES, RETA_SIZE } from '../core/limits.js';
import type { AdapterSpec, Observed, ObservedLink, SteeringRow, VnicPath } from '../core/model.js';
import { planQueueCpus } from '../core/queue_plan.js';
import { reasonText } from '../core/reasons.js';
import { retaShares } from '../core/reta.js';
import { storedOf } from '../core/rows.js';
import { claimedPorts, wantedPath, type Tenant } from '../core/tenant.js';
import { poolOf, usageOf } from '../core/vf_pool.js';
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
  return reasonOf(tenant.state, wantedPath(tenant), wantSource(tenant), path);
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
    generation: path.generation,
    tap_queues: queueStatus(tap_queues, stored?.tapSteering ?? null),
    vf_queues: vf_queues === null ? null : queueStatus(vf_queues, stored?.vfSteering ?? null),
  };
}

export function adapterStatus(
  adapter: AdapterSpec,
  observed: Observed | null,
  tenants: readonly Tenant[],
  attachments: readonly Attachment[],
): AdapterStatus {
  const uplink = observed?.links.get(adapter.uplink);
  const attachment = attachments.find(({ ifindex, program }) => ifindex === uplink?.ifindex && program === 'steer_uplink');
  const pool = observed === null ? [] : poolOf(adapter, observed, claimedPorts(tenants));
  const usage = usageOf(pool);
  const limits = limitsOf(adapter);
  const owners = new Map(tenants.map((tenant) => [claimedVf(tenant.state)?.port, tenant.spec.name]));
  return {
    name: adapter.name,
    uplink: adapter.uplink,
    bridge: adapter.bridge,
    attached: attachment !== undefined,
    xdp_mode: attachment?.mode ?? null,
    fallback_reason: attachment?.fallbackReason ?? null,
    vfs: pool.map(({ seen, state, queues }) => ({ ...seen.spec, state, owner: owners.get(seen.spec.port) ?? null, queues })),
    vfs_used: usage.vfs,
    vfs_limit: limits.vfs,
    queues_used: usage.queues,
    queues_limit: limits.queues,
  };
}
