/** The state of a vNIC that an earlier daemon left in the maps: not remembered, but read off what is there. */
import { isPassedThrough } from './adapter_vf.js';
import type { Timing } from './backoff.js';
import type { Observed, ObservedLink, ObservedVf, StoredVnic, VfPlace, VnicSpec } from './model.js';
import { guestName } from './model.js';
import type { ClaimedVf, PortSettings, Stage } from './vnic_state.js';

/** Settings of a VF port as they are now, to be put back when it is taken away again. */
export function settingsNow(port: ObservedLink, observed: Observed): PortSettings {
  const bridge = [...observed.links.values()].find((link) => link.ifindex === port.master)?.name ?? null;
  return { mtu: port.mtu, up: port.up, bridge, flags: observed.bridgePortFlags.get(port.name) ?? null };
}

/**
 * A VF that was taken by an earlier daemon. How its port was before is not known: as its unused siblings are, else as
 * a VF port is that nobody uses, down and in no bridge.
 */
export function claimOf(vf: ObservedVf, observed: Observed): ClaimedVf {
  const sibling = observed.vfs.find(
    (other) =>
      other.adapter === vf.adapter &&
      other !== vf &&
      other.place.kind === 'host' &&
      other.port !== null &&
      !observed.ports.has(other.port.ifindex),
  );
  const before: PortSettings = { mtu: sibling?.port?.mtu ?? vf.port?.mtu ?? 0, up: sibling?.port?.up ?? false, bridge: null, flags: null };
  return { kind: vf.spec.kind, port: vf.spec.port, device: vf.spec.device, ifindex: vf.port?.ifindex ?? 0, before };
}

function releasing(vf: ClaimedVf): Stage {
  return { phase: 'draining', step: 'releasing', vf, failed: false, notBeforeMs: 0, problem: null, byHypervisor: false };
}

function isHeldBy(place: VfPlace, spec: VnicSpec): boolean {
  return place.kind === 'unknown' || (place.kind === 'guest' && guestName(place.guest) === guestName(spec.guest));
}

/**
 * Of a guest that hears on one path. What is kept back goes on waiting: the step that was under way is done again, and each may be
 * done twice.
 */
function adoptOneEared(row: StoredVnic, spec: VnicSpec, seen: ObservedVf, vf: ClaimedVf, nowMs: number, timing: Timing): Stage {
  const inGuest = isHeldBy(seen.place, spec);
  if (row.path === 'accelerated') {
    if (!inGuest) return row.held ? { phase: 'draining', step: 'returning', vf, failed: false, byHypervisor: false } : releasing(vf);
    // A hold that is not being ended was to take the VF back.
    if (row.hold === 'holding') return { phase: 'draining', step: 'holding', vf, failed: false, untilMs: nowMs, byHypervisor: false };
    return { phase: 'accelerated', vf, sinceMs: nowMs, earlier: null, refusal: null };
  }
  if (inGuest && row.vfAllowed) return { phase: 'plugging', step: 'waiting', vf, deadlineMs: nowMs + timing.plugHoldMs };
  return row.held ? { phase: 'draining', step: 'returning', vf, failed: false, byHypervisor: false } : releasing(vf);
}

/** The VF that a row names. All that are behind one adapter's own switch have the uplink for a port: the address tells them apart. */
export function vfOfRow({ vfIfindex, mac }: StoredVnic, { vfs }: Observed): ObservedVf | undefined {
  return vfs.find(({ spec, port, filter }) => port?.ifindex === vfIfindex && (!isPassedThrough(spec) || (filter?.lent === true && filter.mac === mac)));
}

/** Where the vNIC of this row is between its two paths. */
export function adoptStage(row: StoredVnic, spec: VnicSpec, observed: Observed, nowMs: number, timing: Timing): Stage {
  if (row.vfIfindex === 0) return { phase: 'software', refusal: null };
  const seen = vfOfRow(row, observed);
  if (seen === undefined) {
    const vf: ClaimedVf = {
      kind: 'netdev',
      port: `ifindex ${row.vfIfindex}`,
      device: '',
      ifindex: row.vfIfindex,
      before: { mtu: 0, up: false, bridge: null, flags: null },
    };
    return releasing(vf);
  }
  const vf = claimOf(seen, observed);
  if (!row.plugin) return adoptOneEared(row, spec, seen, vf, nowMs, timing);
  const { place } = seen;
  if (!isHeldBy(place, spec)) return releasing(vf);
  if (row.path === 'accelerated') return { phase: 'accelerated', vf, sinceMs: nowMs, earlier: null, refusal: null };
  if (row.vfAllowed) return { phase: 'plugging', step: 'waiting', vf, deadlineMs: nowMs + timing.guestSilentMs };
  // The guest may still transmit on it: taken back as any other, and given again if it is still wanted.
  const times = { sendAtMs: nowMs, deadlineMs: nowMs + timing.drainDeadlineMs };
  return { phase: 'draining', step: 'asking', vf, failed: false, sequence: Math.floor(nowMs) >>> 0, ...times };
}
