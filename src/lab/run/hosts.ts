/** The hosts as the scenario uses them: their unipathd's sockets, their configurations, and who is at home where. */
import { writeFileSync } from 'node:fs';
import { ControlClient } from '../../control/client.js';
import type { CountersReply, VnicStatus } from '../../control/protocol.js';
import { daemonConfigFor } from '../daemon_config.js';
import { initialHomes } from '../model.js';
import { performAction } from '../perform.js';
import { hostConfigPath, hostSocketPath } from '../place.js';
import { killProcesses } from '../processes.js';
import { awaitDaemon, daemonProcess, startDaemon } from '../topology_programs.js';
import type { Lab } from '../up.js';

export type VnicCounters = CountersReply['vnics'][number];

export class Hosts {
  readonly #lab: Lab;
  readonly #clients: ReadonlyMap<string, ControlClient>;
  /** Guests that each host's configuration names. */
  readonly #served: Map<string, Set<string>>;
  /** Guest -> the host that it transmits through. */
  readonly homes: Map<string, string>;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.homes = initialHomes(lab.spec);
    this.#clients = new Map(lab.spec.hosts.map(({ name }) => [name, new ControlClient(hostSocketPath(lab.place, name))]));
    this.#served = new Map(
      lab.spec.hosts.map(({ name }) => [name, new Set(lab.spec.guests.filter((guest) => guest.host === name).map((guest) => guest.name))]),
    );
  }

  homeOf(guest: string): string {
    const host = this.homes.get(guest);
    if (host === undefined) throw new RangeError(`the lab has no guest "${guest}"`);
    return host;
  }

  client(host: string): ControlClient {
    const client = this.#clients.get(host);
    if (client === undefined) throw new RangeError(`the lab has no host "${host}"`);
    return client;
  }

  /** As the unipathd of its host sees it; null when that one does not serve it. */
  async vnic(guest: string): Promise<VnicStatus | null> {
    const { vnics } = await this.client(this.homeOf(guest)).status();
    return vnics.find((vnic) => vnic.name === guest) ?? null;
  }

  async counters(guest: string): Promise<VnicCounters | null> {
    const { vnics } = await this.client(this.homeOf(guest)).counters();
    return vnics.find((vnic) => vnic.name === guest) ?? null;
  }

  /** Frames that were not delivered after a program had decided, on all hosts, since their programs were loaded. */
  async redirectErrors(): Promise<number> {
    const replies = await Promise.all([...this.#clients.values()].map((client) => client.counters()));
    return replies.flatMap((reply) => reply.redirect_errors).reduce((sum, error) => sum + error.packets, 0);
  }

  /** Writes the host's configuration with or without the guest, and has it read. */
  async serve(host: string, guest: string, served: boolean): Promise<void> {
    const guests = this.#served.get(host) ?? new Set();
    if (served) guests.add(guest);
    else guests.delete(guest);
    writeFileSync(hostConfigPath(this.#lab.place, host), daemonConfigFor(this.#lab.place, this.#lab.spec, host, [...guests]));
    await this.client(host).reload();
  }

  /** SIGKILL: it does not learn of its end. */
  async kill(host: string): Promise<void> {
    const identity = this.#lab.processes.get(daemonProcess(host));
    if (identity === undefined) throw new Error(`unipathd of host ${host} was never started`);
    await killProcesses([identity]);
  }

  async start(host: string): Promise<void> {
    await performAction(startDaemon(this.#lab.place, host, this.#lab.programs), this.#lab);
    await performAction(awaitDaemon(this.#lab.place, host), this.#lab);
  }
}
