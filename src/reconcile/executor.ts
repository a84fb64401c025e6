/**
 * The one place that changes anything. A sequence is done step by step; every step leaves its undo on a pile, and when
 * one fails the pile is worked off backwards, if the sequence wants that.
 */
import { describeAction, undosOf, type Action, type Sequence } from '../core/actions.js';
import { macBytes, type NotAcceleratedReason, type VnicPath } from '../core/model.js';
import type { DataPlane, HoldReport } from '../dataplane/port.js';
import { announcementFrame } from '../guest/announcement.js';
import type { HostNetwork } from '../host/port.js';
import type { Hypervisor } from '../hypervisor/port.js';
import type { Adapters } from '../sriov/port.js';
import { drainFrame } from './control_frame.js';
import { messageOf, StepError } from './errors.js';

/** Of frames that are kept back for one vNIC: some 5,100 of 1,500 bytes, or 29,000 small ones. Making it takes a few milliseconds. */
const HOLD_BYTES = 8 * 1024 * 1024;

export interface Hands {
  readonly dataPlane: DataPlane;
  readonly host: HostNetwork;
  readonly hypervisor: Hypervisor;
  readonly adapters: Adapters;
}

export class Executor {
  readonly #hands: Hands;
  readonly #onBegin: (action: Action) => void;
  readonly #onDone: (action: Action, owner: string | null) => void;
  readonly #onReleased: (owner: string | null, path: VnicPath, report: HoldReport) => void;

  /**
   * `onBegin` is told before something is tried, `onDone` when it was done, and for whom; undoing is doing, too. `onReleased`: what
   * became of the frames that were kept back.
   */
  constructor(
    hands: Hands,
    onBegin: (action: Action) => void,
    onDone: (action: Action, owner: string | null) => void,
    onReleased: (owner: string | null, path: VnicPath, report: HoldReport) => void = () => undefined,
  ) {
    this.#onReleased = onReleased;
    this.#hands = hands;
    this.#onBegin = onBegin;
    this.#onDone = onDone;
  }

  /** Up to its first wait this runs at once, before it returns. @throws StepError */
  async run(sequence: Sequence, owner: string | null): Promise<void> {
    const pile: Action[] = [];
    for (const action of sequence.actions) {
      // A step that fails may have been done all the same, or half: its undo is on the pile before it is tried.
      pile.unshift(...undosOf(action));
      try {
        await this.#do(action, owner);
      } catch (cause) {
        const notUndone = sequence.onFailure === 'undo' ? await this.#undo(pile, owner) : [];
        throw new StepError(action, reasonFor(action, sequence, notUndone), cause, notUndone);
      }
    }
  }

  /**
   * Works off the pile; returns what could not be undone. It ends at the first that cannot: what is written first and would
   * be undone last says that there is something left to undo, and the next look goes on from there.
   */
  async #undo(pile: readonly Action[], owner: string | null): Promise<string[]> {
    for (const [done, undo] of pile.entries()) {
      try {
        await this.#do(undo, owner);
      } catch (error) {
        return [`could not ${describeAction(undo)}: ${messageOf(error)}`, ...pile.slice(done + 1).map(describeAction)];
      }
    }
    return [];
  }

  async #do(action: Action, owner: string | null): Promise<void> {
    this.#onBegin(action);
    await this.#perform(action, owner);
    this.#onDone(action, owner);
  }

  async #perform(action: Action, owner: string | null): Promise<void> {
    const { dataPlane, host, hypervisor, adapters } = this.#hands;
    switch (action.kind) {
      case 'attach-program':
        await dataPlane.attach(action.program, action.ifindex, action.device, action.mode);
        return;
      case 'detach-program':
        return dataPlane.detach(action.ifindex);
      case 'write-vnic':
        return dataPlane.writeVnic(action.vnic, action.row);
      case 'delete-vnic':
        return dataPlane.deleteVnic(action.vnic);
      case 'write-port':
        return dataPlane.writePort(action.ifindex, action.owner);
      case 'write-tx-port':
        return dataPlane.writeTxPort(action.ifindex, action.allowed);
      case 'write-steering':
        return dataPlane.writeSteering(action.vnic, action.role, action.row);
      case 'write-rss-key':
        return dataPlane.writeRssKey(action.row, action.key);
      case 'write-rss-wish':
        return dataPlane.writeRssWish(action.vnic, action.wish);
      case 'write-host-rss-wish':
        return dataPlane.writeHostRssWish(action.wish);
      case 'add-fdb':
        return host.addFdb(action.entry);
      case 'delete-fdb':
        return host.deleteFdb(action.entry);
      case 'set-link':
        return host.setLink(action.device, action.change);
      case 'set-bridge-port-flags':
        return host.setBridgePortFlags(action.device, action.flags);
      case 'set-bridge-vlan':
        // The note first: whatever happens then, somebody can undo it.
        if (!action.noted) dataPlane.writeBridgeVlanNote({ ifindex: action.ifindex, vid: action.vid, before: action.before });
        return host.setBridgeVlan(action.device, action.vid, action.flags);
      case 'restore-bridge-vlan':
        await host.setBridgeVlan(action.device, action.vid, action.flags);
        return dataPlane.deleteBridgeVlanNote(action.ifindex, action.vid);
      case 'forget-bridge-vlan':
        return dataPlane.deleteBridgeVlanNote(action.ifindex, action.vid);
      case 'allow-vf':
        dataPlane.changePath(action.vnic, { vfAllowed: true });
        return;
      case 'go-software':
        dataPlane.changePath(action.vnic, { path: 'software', vfAllowed: false });
        return;
      case 'plug-vf':
        return hypervisor.plug(action.guest, action.vf, action.mac);
      case 'unplug-vf':
        return hypervisor.unplug(action.guest, action.vf);
      case 'eject-vf':
        return hypervisor.eject(action.guest, action.vf);
      case 'prepare-vf':
        return hypervisor.prepare(action.guest, action.vf, action.mac);
      case 'await-operational':
        return host.awaitOperational(action.device, action.deadlineMs);
      case 'unprepare-vf':
        return hypervisor.unprepare(action.guest, action.vf);
      case 'prepare-hold':
        return dataPlane.prepareHold(action.vnic, HOLD_BYTES);
      case 'hold':
        return dataPlane.hold(action.vnic, action.durationMs, HOLD_BYTES);
      case 'release': {
        const { path, vfAllowed } = action;
        this.#onReleased(owner, path, await dataPlane.release(action.vnic, { path, vfAllowed }, action.ifindex));
        return;
      }
      case 'lend-vf':
        return adapters.lend(action.pf, action.vf.device, action.mac, action.settings);
      case 'take-vf-address':
        return adapters.takeAddress(action.pf, action.vf.device);
      case 'return-vf':
        return adapters.giveBack(action.pf, action.vf.device);
      case 'admit-vf':
        return adapters.admit(action.pf, action.vf.device, action.vlan);
      case 'park-vf':
        return adapters.park(action.pf, action.vf.device);
      case 'attach-tap':
        return dataPlane.attachTap(action.ifindex, action.device);
      case 'detach-tap':
        return dataPlane.detachTap(action.ifindex);
      case 'announce':
        for (const vlan of action.vlans) host.sendFrame(action.ifindex, announcementFrame({ mac: macBytes(action.mac), ipv4: null, vlan }));
        return;
      case 'send-drain':
        return host.sendFrame(action.ifindex, drainFrame(action.mac, action.sequence));
      default:
        return action satisfies never;
    }
  }
}

function reasonFor(action: Action, sequence: Sequence, notUndone: readonly string[]): NotAcceleratedReason {
  if (notUndone.length > 0) return 'internal_error';
  if (action.kind === 'attach-program' || action.kind === 'attach-tap') return 'attach_refused';
  return sequence.purpose === 'connect' ? 'retry_backoff' : 'internal_error';
}
