/**
 * Everything that the control plane does to the host, the data plane and the guests, as data: what it is done to, what
 * shall be, and what was before where the undo needs it. The executor's switch performs them; nothing else does.
 */
import { hashTypeNames } from './hash_types.js';
import {
  guestName,
  type AttachMode,
  type BridgePortFlags,
  type BridgeVlanFlags,
  type FdbEntry,
  type GuestSpec,
  type HostRssWish,
  type MacAddress,
  type PortOwner,
  type PortRole,
  type ProgramName,
  type RssWish,
  type SteeringRow,
  type VfSettings,
  type VfSpec,
  type VnicPath,
  type VnicRow,
  type VnicRssWish,
} from './model.js';

/** `bridge` null: in none. */
export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly bridge?: string | null;
}

export type Action =
  | {
      readonly kind: 'attach-program';
      readonly program: ProgramName;
      readonly ifindex: number;
      readonly device: string;
      readonly mode: AttachMode;
    }
  | { readonly kind: 'detach-program'; readonly program: ProgramName; readonly ifindex: number; readonly device: string }
  | { readonly kind: 'write-vnic'; readonly vnic: number; readonly row: VnicRow; readonly before: VnicRow | null }
  | { readonly kind: 'delete-vnic'; readonly vnic: number; readonly before: VnicRow }
  | {
      readonly kind: 'write-port';
      readonly ifindex: number;
      readonly device: string;
      readonly owner: PortOwner | null;
      readonly before: PortOwner | null;
    }
  | { readonly kind: 'write-tx-port'; readonly ifindex: number; readonly device: string; readonly allowed: boolean }
  | {
      readonly kind: 'write-steering';
      readonly vnic: number;
      readonly role: PortRole;
      readonly row: SteeringRow | null;
      readonly before: SteeringRow | null;
    }
  /** A key, in hexadecimal digits, into a row that no steering names. */
  | { readonly kind: 'write-rss-key'; readonly row: number; readonly key: string; readonly before: string }
  | { readonly kind: 'write-rss-wish'; readonly vnic: number; readonly wish: VnicRssWish; readonly before: VnicRssWish }
  | { readonly kind: 'write-host-rss-wish'; readonly wish: HostRssWish; readonly before: HostRssWish }
  | { readonly kind: 'add-fdb'; readonly entry: FdbEntry }
  | { readonly kind: 'delete-fdb'; readonly entry: FdbEntry }
  | { readonly kind: 'set-link'; readonly device: string; readonly change: LinkChange; readonly before: LinkChange }
  | {
      readonly kind: 'set-bridge-port-flags';
      readonly device: string;
      readonly flags: BridgePortFlags;
      /** null: it was no bridge port, and leaving the bridge undoes this too. */
      readonly before: BridgePortFlags | null;
    }
  | {
      readonly kind: 'set-bridge-vlan';
      readonly ifindex: number;
      readonly device: string;
      readonly vid: number;
      /** null: not in this VLAN. */
      readonly flags: BridgeVlanFlags | null;
      readonly before: BridgeVlanFlags | null;
      /** How it was before unipath's first change is noted already. */
      readonly noted: boolean;
    }
  /** The last change is undone; the note goes. */
  | {
      readonly kind: 'restore-bridge-vlan';
      readonly ifindex: number;
      readonly device: string;
      readonly vid: number;
      readonly flags: BridgeVlanFlags | null;
      readonly before: BridgeVlanFlags | null;
    }
  /** The note goes; the port is as it was, or gone. */
  | { readonly kind: 'forget-bridge-vlan'; readonly ifindex: number; readonly device: string; readonly vid: number }
  | { readonly kind: 'allow-vf'; readonly vnic: number }
  | { readonly kind: 'go-software'; readonly vnic: number }
  | { readonly kind: 'plug-vf'; readonly vnic: number; readonly guest: GuestSpec; readonly vf: VfSpec; readonly mac: MacAddress }
  /** All of `plug-vf` that the guest does not notice. */
  | { readonly kind: 'prepare-vf'; readonly guest: GuestSpec; readonly vf: VfSpec; readonly mac: MacAddress }
  /** Until the host's bridge takes frames from the device, which it does a while after it has carrier. */
  | { readonly kind: 'await-operational'; readonly device: string; readonly deadlineMs: number }
  | { readonly kind: 'unprepare-vf'; readonly guest: GuestSpec; readonly vf: VfSpec }
  | { readonly kind: 'unplug-vf'; readonly guest: GuestSpec; readonly vf: VfSpec }
  /** Asks the guest to let go of the VF's device, and does not wait for it; `unplug-vf` does the rest. */
  | { readonly kind: 'eject-vf'; readonly guest: GuestSpec; readonly vf: VfSpec }
  /** Room for what is to be kept back; `release` takes it away. */
  | { readonly kind: 'prepare-hold'; readonly vnic: number }
  /** Frames for the vNIC are kept back. The tap is where they go when it comes to nothing. */
  | { readonly kind: 'hold'; readonly vnic: number; readonly durationMs: number; readonly tapIfindex: number; readonly tap: string }
  /** The guest hears on `path`: what waits is delivered to the path's port. */
  | {
      readonly kind: 'release';
      readonly vnic: number;
      readonly path: VnicPath;
      readonly vfAllowed: boolean;
      readonly ifindex: number;
      readonly device: string;
    }
  /** Tells switches where the guest is now. */
  | { readonly kind: 'announce'; readonly ifindex: number; readonly device: string; readonly mac: MacAddress; readonly vlans: readonly number[] }
  /** A VF behind the adapter's own switch gets the vNIC's address and limits, and is parked: it hears nothing. `pf`: its netdev. */
  | { readonly kind: 'lend-vf'; readonly pf: string; readonly vf: VfSpec; readonly mac: MacAddress; readonly settings: VfSettings }
  /** Its guest has gone, but not who holds it: the adapter gives it nothing any more that is for the guest. */
  | { readonly kind: 'take-vf-address'; readonly pf: string; readonly vf: VfSpec }
  /** As it was before it was lent; not before it is really released. */
  | { readonly kind: 'return-vf'; readonly pf: string; readonly vf: VfSpec }
  /** It hears: it is in the vNIC's VLAN. 0: untagged. */
  | { readonly kind: 'admit-vf'; readonly pf: string; readonly vf: VfSpec; readonly vlan: number }
  /** It hears no more. `vlan`: where it is put back by the undo. */
  | { readonly kind: 'park-vf'; readonly pf: string; readonly vf: VfSpec; readonly vlan: number }
  | { readonly kind: 'attach-tap'; readonly ifindex: number; readonly device: string }
  | { readonly kind: 'detach-tap'; readonly ifindex: number; readonly device: string }
  | { readonly kind: 'send-drain'; readonly ifindex: number; readonly device: string; readonly mac: MacAddress; readonly sequence: number; readonly again: boolean };

/** Actions of one owner, done one after the other. */
export interface Sequence {
  readonly purpose: 'set-up' | 'repair' | 'connect' | 'release' | 'remove' | 'effect' | 'adapter' | 'rss' | 'sweep';
  readonly actions: readonly Action[];
  /** When a step fails: undo those before it, or leave them, because they lead to where it shall go anyhow. */
  readonly onFailure: 'undo' | 'stop';
}

/**
 * What brings back the state before, in order. It must do no harm when the action was not done, or only half: it is what
 * follows a failure.
 */
export function undosOf(action: Action): readonly Action[] {
  switch (action.kind) {
    case 'attach-program':
      return [{ kind: 'detach-program', program: action.program, ifindex: action.ifindex, device: action.device }];
    case 'detach-program':
      return [{ ...action, kind: 'attach-program', mode: 'as-configured' }];
    case 'write-vnic':
      if (action.before === null) return [{ kind: 'delete-vnic', vnic: action.vnic, before: action.row }];
      return [{ ...action, row: action.before, before: action.row }];
    case 'delete-vnic':
      return [{ kind: 'write-vnic', vnic: action.vnic, row: action.before, before: null }];
    case 'write-port':
      return [{ ...action, owner: action.before, before: action.owner }];
    case 'write-tx-port':
      return [{ ...action, allowed: !action.allowed }];
    case 'write-steering':
      return [{ ...action, row: action.before, before: action.row }];
    case 'write-rss-key':
      return [{ ...action, key: action.before, before: action.key }];
    case 'write-rss-wish':
      return [{ ...action, wish: action.before, before: action.wish }];
    case 'write-host-rss-wish':
      return [{ ...action, wish: action.before, before: action.wish }];
    case 'add-fdb':
      return [{ kind: 'delete-fdb', entry: action.entry }];
    case 'delete-fdb':
      return [{ kind: 'add-fdb', entry: action.entry }];
    case 'set-link':
      return [{ ...action, change: action.before, before: action.change }];
    case 'set-bridge-port-flags':
      return action.before === null ? [] : [{ ...action, flags: action.before, before: action.flags }];
    case 'set-bridge-vlan': {
      const { noted, ...change } = action;
      const back = { ...change, flags: action.before, before: action.flags };
      return [noted ? { ...back, noted } : { ...back, kind: 'restore-bridge-vlan' }];
    }
    case 'restore-bridge-vlan':
      return [{ ...action, kind: 'set-bridge-vlan', flags: action.before, before: action.flags, noted: false }];
    case 'allow-vf':
      return [{ kind: 'go-software', vnic: action.vnic }];
    case 'plug-vf':
      // The guest may be using it already.
      return [
        { kind: 'go-software', vnic: action.vnic },
        { kind: 'unplug-vf', guest: action.guest, vf: action.vf },
      ];
    case 'hold': {
      const { vnic, tapIfindex: ifindex, tap: device } = action;
      return [{ kind: 'release', vnic, path: 'software', vfAllowed: false, ifindex, device }];
    }
    case 'attach-tap':
      return [{ ...action, kind: 'detach-tap' }];
    case 'detach-tap':
      return [{ ...action, kind: 'attach-tap' }];
    case 'prepare-vf':
      return [{ kind: 'unprepare-vf', guest: action.guest, vf: action.vf }];
    case 'lend-vf':
      return [{ kind: 'return-vf', pf: action.pf, vf: action.vf }];
    case 'admit-vf':
      return [{ ...action, kind: 'park-vf' }];
    case 'park-vf':
      return [{ ...action, kind: 'admit-vf' }];
    case 'take-vf-address':
    case 'return-vf':
    case 'await-operational':
    case 'unprepare-vf':
    case 'prepare-hold':
    case 'unplug-vf':
    case 'eject-vf':
    case 'release':
    case 'announce':
    case 'go-software':
    case 'send-drain':
    case 'forget-bridge-vlan':
      return [];
    default:
      return action satisfies never;
  }
}

function describeChange(change: LinkChange): string {
  const words: string[] = [];
  if (change.mtu !== undefined) words.push(`MTU ${change.mtu}`);
  if (change.bridge !== undefined) words.push(change.bridge === null ? 'out of its bridge' : `into bridge ${change.bridge}`);
  if (change.up !== undefined) words.push(change.up ? 'up' : 'down');
  return words.join(', ');
}

function describeRow({ mac, vlans, vfIfindex }: VnicRow): string {
  return `${mac}, VLAN ${vlans.join(',')}${vfIfindex === 0 ? '' : `, VF ifindex ${vfIfindex}`}`;
}

function describeVlan(vid: number, device: string, flags: BridgeVlanFlags | null): string {
  if (flags === null) return `take ${device} out of VLAN ${vid}`;
  const how = flags.untagged ? (flags.pvid ? 'untagged' : 'untagged on its way out') : flags.pvid ? 'untagged on its way in' : 'tagged';
  return `put ${device} into VLAN ${vid}, ${how}`;
}

function describeWish({ hashTypes, weights }: RssWish, ownKeyRow: number | null = null): string {
  const words: string[] = ownKeyRow === null ? [] : [`key ${ownKeyRow}`];
  if (hashTypes !== null) words.push(`hash types ${hashTypeNames(hashTypes).join(',') || 'none'}`);
  if (weights !== null) words.push(weights.length === 0 ? 'equal shares' : `weights ${weights.join(',')}`);
  return words.join(', ') || 'what the configuration says';
}

function describeEntry({ mac, vlan, device, self }: FdbEntry): string {
  return self === true ? `${mac} of ${device} itself` : `${mac}${vlan === 0 ? '' : ` VLAN ${vlan}`} -> ${device}`;
}

const onOff = (on: boolean): string => (on ? 'on' : 'off');

/** For logs, errors and `unipath monitor`: imperative, with every name that a reader needs. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case 'attach-program':
      return `attach ${action.program} to ${action.device}${action.mode === 'generic' ? ' in generic mode' : ''}`;
    case 'detach-program':
      return `detach ${action.program} from ${action.device}`;
    case 'write-vnic':
      return `write vNIC ${action.vnic} (${describeRow(action.row)})`;
    case 'delete-vnic':
      return `delete vNIC ${action.vnic} (${action.before.mac}, VLAN ${action.before.vlans.join(',')})`;
    case 'write-port':
      return action.owner === null
        ? `disown port ${action.device}`
        : `make ${action.device} the ${action.owner.role} port of vNIC ${action.owner.vnic}`;
    case 'write-tx-port':
      return `${action.allowed ? 'allow' : 'forbid'} redirects to ${action.device}`;
    case 'write-steering':
      if (action.row === null) return `clear the ${action.role} steering of vNIC ${action.vnic}`;
      return `spread vNIC ${action.vnic} over ${action.row.queues} ${action.role} queues`;
    case 'write-rss-key':
      return `write RSS key ${action.row}`;
    case 'write-rss-wish':
      return `keep the operator's RSS settings of vNIC ${action.vnic}: ${describeWish(action.wish, action.wish.keyRow)}`;
    case 'write-host-rss-wish':
      return `keep the operator's RSS settings: key ${action.wish.keyRow}, ${describeWish(action.wish)}`;
    case 'add-fdb':
      return `add static FDB entry ${describeEntry(action.entry)}`;
    case 'delete-fdb':
      return `delete static FDB entry ${describeEntry(action.entry)}`;
    case 'set-link':
      return `set ${action.device} ${describeChange(action.change)}`;
    case 'set-bridge-port-flags':
      return `set ${action.device} learning ${onOff(action.flags.learning)}, flooding ${onOff(action.flags.flood)}`;
    case 'set-bridge-vlan':
      return describeVlan(action.vid, action.device, action.flags);
    case 'restore-bridge-vlan':
      return `${describeVlan(action.vid, action.device, action.flags)}, as before`;
    case 'forget-bridge-vlan':
      return `forget how ${action.device} was in VLAN ${action.vid}`;
    case 'allow-vf':
      return `allow vNIC ${action.vnic} to use its VF`;
    case 'go-software':
      return `put vNIC ${action.vnic} on the software path`;
    case 'plug-vf':
      return `plug ${action.vf.device} into guest ${guestName(action.guest)}`;
    case 'unplug-vf':
      return `unplug ${action.vf.device} from guest ${guestName(action.guest)}`;
    case 'eject-vf':
      return `ask guest ${guestName(action.guest)} to let go of ${action.vf.device}`;
    case 'prepare-vf':
      return `prepare ${action.vf.device} for guest ${guestName(action.guest)}`;
    case 'await-operational':
      return `wait until ${action.device} is operational`;
    case 'unprepare-vf':
      return `take away what was prepared of ${action.vf.device} for guest ${guestName(action.guest)}`;
    case 'prepare-hold':
      return `make room to keep frames for vNIC ${action.vnic} back`;
    case 'hold':
      return `keep frames for vNIC ${action.vnic} back, for ${action.durationMs} ms at most`;
    case 'release':
      return `put vNIC ${action.vnic} on the ${action.path} path and deliver what was kept back to ${action.device}`;
    case 'announce':
      return `announce ${action.mac} by ${action.device}`;
    case 'lend-vf':
      return `give VF ${action.vf.device} of ${action.pf} the address ${action.mac}, parked`;
    case 'take-vf-address':
      return `take its address from VF ${action.vf.device} of ${action.pf}`;
    case 'return-vf':
      return `set VF ${action.vf.device} of ${action.pf} as it was`;
    case 'admit-vf':
      return `let VF ${action.vf.device} of ${action.pf} hear${action.vlan === 0 ? '' : `, in VLAN ${action.vlan}`}`;
    case 'park-vf':
      return `let VF ${action.vf.device} of ${action.pf} hear nothing`;
    case 'attach-tap':
      return `attach steer_tap to the egress of ${action.device}`;
    case 'detach-tap':
      return `detach steer_tap from the egress of ${action.device}`;
    case 'send-drain':
      return `ask the guest of ${action.mac} by ${action.device} to drain its VF (${action.sequence})`;
    default:
      return action satisfies never;
  }
}
