/** The daemon's states as cells of a table. Pure. */
import type { AdapterStatus, QueueStatus, StatusReply, VfStatus, VnicStatus } from '../control/protocol.js';
import { nameHint } from '../core/near_name.js';
import { CliError } from './exit.js';
import type { Cell } from './table.js';

/** A daemon that has not looked for this long is not doing its work. */
const STALE_AFTER_MS = 60_000;

export function pathCell(vnic: VnicStatus): Cell {
  return { text: vnic.path, style: isAsWanted(vnic) ? 'good' : 'busy' };
}

export function reasonCell(vnic: VnicStatus): Cell | string {
  if (vnic.reason === 'none') return '-';
  return { text: vnic.reason, style: isAsWanted(vnic) ? 'quiet' : 'busy' };
}

/** A vNIC that is wanted on the software path is well there. */
export function isAsWanted(vnic: VnicStatus): boolean {
  return vnic.path === vnic.want && vnic.phase === vnic.want;
}

export function wantText(vnic: VnicStatus): string {
  return vnic.want_source === 'operator' ? `${vnic.want} (operator)` : vnic.want;
}

export function queuesText(status: QueueStatus | null): string {
  if (status === null) return '-';
  return status.unreachable.length === 0 ? String(status.queues) : `${status.queues}, no CPU reaches ${status.unreachable.join(', ')}`;
}

/** "7", "7 (access)", "5,7", "untagged"; 0 in a longer list stands for untagged frames. */
export function vlanText({ vlans, access }: Pick<VnicStatus, 'vlans' | 'access'>): string {
  if (vlans.length === 1 && vlans[0] === 0) return 'untagged';
  return `${vlans.join(',')}${access ? ' (access)' : ''}`;
}

/** Share of the indirection table that each queue has. */
export function sharesText(status: QueueStatus | null): string {
  if (status === null || status.shares.length === 0) return '-';
  return status.shares.map((share, queue) => `${queue}: ${share} %`).join(', ');
}

export function ageText(milliseconds: number | null): string {
  if (milliseconds === null) return 'never';
  return milliseconds < 10_000 ? `${(milliseconds / 1000).toFixed(1)} s ago` : `${Math.round(milliseconds / 1000)} s ago`;
}

/** "12.3M" */
export function scaled(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let unit = 0;
  let rest = value;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000;
    unit++;
  }
  return unit === 0 ? String(rest) : `${rest.toFixed(1)}${units[unit]}`;
}

export function xdpCell(adapter: AdapterStatus): Cell | string {
  if (!adapter.attached) return { text: 'not attached', style: 'bad' };
  return adapter.xdp_mode === 'native' ? 'native' : { text: adapter.xdp_mode ?? '-', style: 'busy' };
}

/** Handed out, of those that there are. */
export const vfsText = ({ vfs_used, vfs }: AdapterStatus): string => `${vfs_used}/${vfs.length}`;
/** Of VFs that are handed out, of as many as may be. */
export const queuesOfAdapterText = ({ queues_used, queues_limit }: AdapterStatus): string => `${queues_used}/${queues_limit}`;

const VF_STYLES = { free: 'quiet', used: 'good', reserved: 'busy', quarantined: 'bad', lost: 'bad' } as const;

export function vfStateCell({ state }: VfStatus): Cell {
  return { text: state, style: VF_STYLES[state] };
}

/** null: not known, or there is none. */
export const numberText = (value: number | null): string => (value === null ? '-' : String(value));

/** What is not as it should be, one line each; empty when all is well. */
export function degradations(status: StatusReply): readonly string[] {
  const { reconcile_error, last_reconcile_age_ms, adapters, vnics } = status;
  const problems: string[] = [];
  if (last_reconcile_age_ms === null) problems.push('the first reconcile is not done yet');
  else if (last_reconcile_age_ms > STALE_AFTER_MS) problems.push(`the last reconcile was ${ageText(last_reconcile_age_ms)}`);
  if (reconcile_error !== null) problems.push(`the last reconcile failed: ${reconcile_error}`);
  for (const adapter of adapters)
    if (!adapter.attached) problems.push(`adapter ${adapter.name}: no program is attached to ${adapter.uplink}`);
  for (const vnic of vnics) if (!isAsWanted(vnic)) problems.push(`vNIC ${vnic.name}: ${vnic.reason_text}`);
  return problems;
}

/** As the daemon's errors call them. */
const CODES = { vNIC: 'unknown_vnic', VF: 'unknown_vf', adapter: 'unknown_adapter', 'virtual machine': 'unknown_vm' } as const;

/** @throws CliError that suggests the near name */
export function named<T extends { readonly name: string }>(what: keyof typeof CODES, name: string, all: readonly T[]): T {
  const found = all.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw new CliError(`there is no ${what} "${name}"`, CODES[what], nameHint(name, all.map((each) => each.name)));
}
