/** Guests that are virtual machines: their path is seen at their taps, and QEMU's live migration takes them to another host. */
import { setTimeout as sleep } from 'node:timers/promises';
import { QmpClient } from '../../hypervisor/qemu/qmp_client.js';
import { unlessAborted } from '../interrupt.js';
import { guestOf, tapOf } from '../model.js';
import { openMachine, performAction } from '../perform.js';
import { machineFolder, migrationSocketPath } from '../place.js';
import { stopProcesses } from '../processes.js';
import type { QemuGuest } from '../qemu/guest.js';
import { GuestEnd, type GuestServices } from '../qemu/guest_end.js';
import { stuckQueueWords } from '../qemu/stuck_queue.js';
import { GUEST_PORTS, machineProcess, startMachine } from '../topology_machines.js';
import type { Lab } from '../up.js';
import { ChangeFailedError, type Guests, type Rehomed } from './guests.js';
import type { Hosts } from './hosts.js';
import { TapWatch } from './tap_watch.js';

const SERVICES: GuestServices = {
  sinks: new Map([
    [GUEST_PORTS.echo, { service: 'echo', echoEvery: 1 }],
    [GUEST_PORTS.sink, { service: 'sink', echoEvery: 0 }],
  ]),
  tcp: { service: 'tcp', port: GUEST_PORTS.tcp },
};

const FOUND_MS = 20_000;
const MIGRATION_MS = 90_000;
const POLL_MS = 25;
/** As fast as the machine can, so that little changes meanwhile; bytes a second. */
const BANDWIDTH = 10_000_000_000;
/** Longest standstill that QEMU aims at. */
const DOWNTIME_MS = 100;

/** When the guest stood still, as QEMU's events on both sides say. */
class Standstill {
  #stoppedMs: number | null = null;
  #resumedMs: number | null = null;

  private constructor(
    readonly source: QmpClient,
    readonly target: QmpClient,
  ) {
    source.onEvent(({ name, timeMs }) => {
      if (name === 'STOP') this.#stoppedMs = timeMs;
    });
    target.onEvent(({ name, timeMs }) => {
      if (name === 'RESUME') this.#resumedMs = timeMs;
    });
  }

  static async between(source: QemuGuest, target: QemuGuest): Promise<Standstill> {
    return new Standstill(await QmpClient.connect(source.labQmpSocket), await QmpClient.connect(target.labQmpSocket));
  }

  /** null while it is not over. */
  get ms(): number | null {
    return this.#stoppedMs === null || this.#resumedMs === null ? null : Math.max(0, this.#resumedMs - this.#stoppedMs);
  }

  close(): void {
    this.source.close();
    this.target.close();
  }
}

export class QemuGuests implements Guests {
  readonly #lab: Lab;
  readonly #hosts: Hosts;
  /** Where each guest is now. */
  readonly #machines = new Map<string, QemuGuest>();
  /** Those that a guest came to by migration. */
  readonly #arrivedIn: QemuGuest[] = [];
  readonly #ends = new Map<string, GuestEnd>();
  readonly watches = new Map<string, TapWatch>();

  private constructor(lab: Lab, hosts: Hosts) {
    this.#lab = lab;
    this.#hosts = hosts;
  }

  /** @throws Error when a guest does not run */
  static async open(lab: Lab, hosts: Hosts, watched: readonly string[]): Promise<QemuGuests> {
    const guests = new QemuGuests(lab, hosts);
    for (const { name, host } of lab.spec.guests) {
      guests.#machines.set(name, await openMachine(lab, machineProcess(name, host), name, machineFolder(lab.place, name, host)));
    }
    for (const name of watched) guests.watches.set(name, new TapWatch(guests.#machine(name).pid, tapOf(guestOf(lab.spec, name))));
    return guests;
  }

  async endpoint(guest: string): Promise<GuestEnd> {
    const machine = this.#machine(guest);
    await machine.waitForShell();
    const end = new GuestEnd(guest, machine, SERVICES);
    this.#ends.set(guest, end);
    return end;
  }

  /** Driven by unipathd: the VF is taken back first, the other host gives its own when it is told to. */
  async rehome(guest: string, to: string, onArrival: (detail: string) => void): Promise<Rehomed> {
    const from = this.#hosts.homeOf(guest);
    const source = this.#machine(guest);
    const target = await this.#startTarget(guest, to);
    const uri = `unix:${migrationSocketPath(this.#lab.place, guest)}`;
    const standstill = await Standstill.between(source, target);
    try {
      await this.#until(`unipathd of host ${to} finds the QEMU that waits for ${guest}`, async () => {
        const { vms } = await this.#hosts.client(to).vms();
        return vms.some(({ name, run_state: state }) => name === guest && state === 'inmigrate');
      });
      await this.#hosts.client(to).receiveVm(guest, { uri });
      const migration = this.#hosts.client(from).migrateVm(guest, { uri, bandwidth: BANDWIDTH, downtime_ms: DOWNTIME_MS }, MIGRATION_MS);
      const { outcome, error, drain_ms: drainMs, total_ms: totalMs } = await unlessAborted(migration, this.#lab.signal);
      if (outcome !== 'completed') throw new ChangeFailedError(`${guest} was not migrated to host ${to}: ${outcome}${error === null ? '' : ` (${error})`}`);
      await this.#until(`${guest} runs on host ${to}`, async () => standstill.ms !== null);
      const stoodStillMs = standstill.ms ?? 0;
      this.#moved(guest, target, to);
      onArrival(`migrated live from host ${from} in ${totalMs} ms, VF back ${drainMs} ms after the request; QEMU stood still for ${stoodStillMs.toFixed(0)} ms`);
      await this.#until(`unipathd of host ${to} serves ${guest}`, async () => (await this.#hosts.vnic(guest))?.phase === 'software');
      return { stoodStillMs };
    } finally {
      standstill.close();
      await this.#stop(this.#machine(guest) === target ? source : target, guest, this.#machine(guest) === target ? from : to);
    }
  }

  /** One that has never been migrated has no such excuse, nor has one on a real CPU. */
  death(): string | null {
    if (this.#lab.machines?.accel !== 'tcg') return null;
    for (const machine of this.#arrivedIn) {
      const words = machine.kernelDeath();
      if (words !== null) return `the kernel of ${machine.name} died after a migration (${words})`;
    }
    return null;
  }

  async notes(): Promise<string[]> {
    const notes: string[] = [];
    for (const [name, machine] of this.#machines) {
      for (const words of stuckQueueWords(await machine.run('dmesg').catch(() => ''))) notes.push(`${name}'s kernel: ${words}. Its own NIC did not send meanwhile`);
    }
    return notes;
  }

  async close(): Promise<void> {
    for (const watch of this.watches.values()) watch.close();
    for (const machine of this.#machines.values()) await machine.detachShell().catch(() => {});
  }

  #machine(guest: string): QemuGuest {
    const machine = this.#machines.get(guest);
    if (machine === undefined) throw new RangeError(`the lab has no machine "${guest}"`);
    return machine;
  }

  async #startTarget(guest: string, to: string): Promise<QemuGuest> {
    const { place, spec, machines } = this.#lab;
    if (machines === null) throw new RangeError('this lab has no machines');
    await performAction(startMachine(place, guestOf(spec, guest), to, spec.mtu, machines, true), this.#lab);
    return openMachine(this.#lab, machineProcess(guest, to), guest, machineFolder(place, guest, to));
  }

  #moved(guest: string, target: QemuGuest, to: string): void {
    this.#machines.set(guest, target);
    this.#arrivedIn.push(target);
    this.#hosts.homes.set(guest, to);
    this.#ends.get(guest)?.moveTo(target);
    this.watches.get(guest)?.moveTo(target.pid);
  }

  /** In an orderly way: it removes its sockets. */
  async #stop(machine: QemuGuest, guest: string, host: string): Promise<void> {
    await machine.detachShell().catch(() => {});
    const identity = this.#lab.processes.get(machineProcess(guest, host));
    if (identity !== undefined) await stopProcesses([identity]);
  }

  /** @throws ChangeFailedError naming what has not come about */
  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + FOUND_MS;
    while (!(await isSo())) {
      this.#lab.signal?.throwIfAborted();
      if (performance.now() > deadline) throw new ChangeFailedError(`not within ${FOUND_MS / 1000} s: ${what}`);
      await sleep(POLL_MS);
    }
  }
}
