/**
 * Sides of the KVM host that the emulated machine plays: each with an adapter, a bridge on its PF, a tap, a QEMU for the guest g1, and a unipathd of its
 * own. Beside them `world`, a station on the wire of all adapters, and `s`, a neighbour on the bridge of one side.
 */
import type { VnicStatus } from '../../src/control/protocol.js';
import { guestPaths, qemuArguments } from '../../src/lab/qemu/arguments.js';
import { emulator } from '../../src/lab/qemu/emulator.js';
import { guestImage } from '../../src/lab/qemu/image.js';
import { findKernel, unpackedKernel } from '../../src/lab/qemu/kernel.js';
import { shellWords } from '../../src/lab/qemu/serial_shell.js';
import { WIRE_MAC } from '../../src/lab/sriov/arguments.js';
import type { HostMachine } from '../../src/lab/sriov/machine.js';
import { unipath, unipathDone, unipathJson } from './bed.js';
import { GUEST, guestMachine, MAC } from './booted_guest.js';

const NEIGHBOUR_MAC = '52:54:00:00:00:b0';
const [WORLD, NEIGHBOUR] = ['10.0.0.1', '10.0.0.20'];
const MAX_RATE = 500;
/** What `ip link` shows of a VF that the guest hears on. */
export const VF_OF_GUEST = new RegExp(`^vf 0 (?!.*vlan).*${MAC}.*rate ${MAX_RATE}`);
/** Who asks the guest. */
const STATIONS = ['world', 's'] as const;
const INTERVAL_S = 0.5;
const PINGS = '/run/ping.pids';
/** Emulated CPUs in an emulated CPU, beside others' work: everything that a guest does takes this many times longer. */
const PATIENCE = 60;
/** Of the machine, of the guest in it, and of unipathd beside that. */
export const BOOT_MS = 300_000;
/** One of the many steps. */
const STEP_MS = 200_000;
/** How long a guest may take to change its path. */
export const WAIT_S = 300;

export interface SideSpec {
  readonly name: string;
  readonly pf: string;
  /** PCI address of its first VF. */
  readonly vf: string;
  readonly policy: VnicStatus['want'];
  /** Is the neighbour `s` on its bridge? */
  readonly neighbour: boolean;
}

export class Side {
  readonly #machine: HostMachine;
  readonly #spec: SideSpec;

  constructor(machine: HostMachine, spec: SideSpec) {
    this.#machine = machine;
    this.#spec = spec;
  }

  get name(): string {
    return this.#spec.name;
  }

  get #folder(): string {
    return `/run/${this.#spec.name}`;
  }

  get socket(): string {
    return `${this.#folder}/unipath.sock`;
  }

  /** A QMP socket that unipathd leaves alone. */
  get monitor(): string {
    return guestPaths(this.#guest).qmp2;
  }

  get #guest(): string {
    return `${this.#folder}/g1`;
  }

  get #bridge(): string {
    return `br-${this.#spec.name}`;
  }

  get #tap(): string {
    return `tap-${this.#spec.name}`;
  }

  get #pins(): string {
    return `/sys/fs/bpf/unipath-${this.#spec.name}`;
  }

  /** VFs, a bridge of the PF, and a tap on it; the neighbour, if it is here. */
  async create(): Promise<void> {
    const { pf, neighbour } = this.#spec;
    const [bridge, tap] = [this.#bridge, this.#tap];
    await this.#run(`mkdir ${this.#folder} && ip link set ${pf} up`);
    await unipathDone(this.#machine, `adapter setup ${pf} --vfs 2`);
    for (const command of [
      `ip link add ${bridge} type bridge forward_delay 0 && ip link set ${bridge} up && ip link set ${pf} master ${bridge}`,
      `ip tuntap add ${tap} mode tap && ip link set ${tap} master ${bridge} up`,
      ...(neighbour
        ? [
            `ip netns add s && ip link add tap-s type veth peer name eth0 netns s && ip link set tap-s master ${bridge} up`,
            `ip -n s link set eth0 address ${NEIGHBOUR_MAC} up && ip -n s address add ${NEIGHBOUR}/24 dev eth0`,
            // A redirect into a veth needs NAPI on its peer.
            'ip netns exec s ethtool -K eth0 tx off gro on',
          ]
        : []),
    ]) await this.#run(command);
  }

  /** A QEMU that waits for g1: "defer", or reads it from there. */
  async startGuest(incoming: string): Promise<void> {
    const kernel = findKernel();
    if (kernel === null) throw new Error('there is no kernel for guests: run `npm run setup -- --guests`');
    const args = qemuArguments(guestMachine(this.#tap, incoming), guestPaths(this.#guest), await unpackedKernel(kernel), await guestImage('base', kernel));
    await this.#run(`mkdir ${this.#guest} && { ${shellWords([...emulator(), ...args])} > ${this.#guest}/qemu.log 2>&1 & }`);
  }

  async endGuest(): Promise<void> {
    const { pid } = guestPaths(this.#guest);
    await this.#run(`p=$(cat ${pid}) && kill $p && while [ -e /proc/$p ]; do sleep 0.2; done; rm -r ${this.#guest}`);
  }

  async startDaemon(): Promise<void> {
    const { name, pf, vf, policy, neighbour } = this.#spec;
    const config = `socket: ${this.socket}
pins: ${this.#pins}
patience: ${PATIENCE}
hypervisors: [{qmp: ${guestPaths(this.#guest).qmp}}]
adapters: [{name: nic-${name}, uplink: ${pf}, bridge: ${this.#bridge}, vfs: [{pci: "${vf}"}]}]
vnics:
  - {name: g1, mac: "${MAC}", adapter: nic-${name}, guest: {vm: g1}, policy: ${policy}, vf: {max_rate: ${MAX_RATE}}}
${neighbour ? `  - {name: s, mac: "${NEIGHBOUR_MAC}", adapter: nic-${name}, tap: tap-s, guest: {netns: s}, policy: software}\n` : ''}`;
    const [file, log] = [`${this.#folder}/unipath.yaml`, `${this.#folder}/unipathd.log`];
    await this.#run(`cat > ${file} <<'END'\n${config}END`);
    await this.#run(`${process.execPath} ${this.#machine.project}/build/src/daemon.js --config ${file} > ${log} 2>&1 & echo $! > ${this.#folder}/unipathd.pid`);
  }

  async untilReady(): Promise<void> {
    await this.#until(`grep -q '"msg":"ready"' ${this.#folder}/unipathd.log`);
  }

  unipath(words: string): Promise<string> {
    return unipathDone(this.#machine, `-S ${this.socket} ${words}`);
  }

  async vnic(): Promise<VnicStatus | undefined> {
    const { answer } = await unipathJson(this.#machine, `-S ${this.socket} status`);
    return (answer as { vnics: readonly VnicStatus[] }).vnics.find(({ name }) => name === 'g1');
  }

  /** Resolves when the vNIC of g1 is so. */
  async until(holds: (vnic: VnicStatus) => boolean): Promise<VnicStatus> {
    const deadline = performance.now() + STEP_MS;
    for (;;) {
      const vnic = await this.vnic();
      if (vnic !== undefined && holds(vnic)) return vnic;
      await this.#run('sleep 2');
      if (performance.now() > deadline) throw new Error(`g1 of side ${this.#spec.name} is ${JSON.stringify(vnic)} after ${STEP_MS} ms`);
    }
  }

  /** The guest answers `world`. */
  untilAnswered(): Promise<string> {
    return this.#until(`ip netns exec world busybox ping -c 1 -W 1 ${GUEST} > /dev/null`);
  }

  /** How the PF treats its first VF. */
  async vfLine(): Promise<string> {
    return (await this.#run(`ip link show dev ${this.#spec.pf} | grep 'vf 0 '`)).trim();
  }

  /** MAC addresses that the PF takes for its own. */
  async ownAddresses(): Promise<string> {
    return this.#run(`bridge fdb show dev ${this.#spec.pf} | grep self`);
  }

  /** Frames that the tap has had for the guest. */
  async toTap(): Promise<number> {
    return Number(await this.#run(`cat /sys/class/net/${this.#tap}/statistics/tx_packets`));
  }

  /** Processes that have the VF's group of the IOMMU open, one a line. */
  async holders(): Promise<string> {
    const group = `$(basename $(readlink /sys/bus/pci/devices/${this.#spec.vf}/iommu_group))`;
    return (await this.#run(`find /proc/[0-9]*/fd -lname /dev/vfio/${group} 2>&1 | grep -v 'No such file' | cut -d / -f 3 | sort -u`)).trim();
  }

  /** What unipath may change: settings of VFs, addresses of the PF's own, programs, pins. */
  async state(): Promise<string> {
    const { pf } = this.#spec;
    const devices = [pf, this.#tap, ...(this.#spec.neighbour ? ['tap-s'] : [])];
    return this.#run([
      `ip link show dev ${pf} | grep 'vf '`,
      `bridge fdb show dev ${pf} | grep self | sort`,
      ...devices.map((device) => `ip -d link show dev ${device} | grep -o 'prog/xdp.*' || true; bridge -d link show dev ${device} | grep -v state`),
      `ls ${this.#pins} 2>&1 || true`,
    ].join('; '));
  }

  /** For who looks for what went wrong. */
  async words(): Promise<string> {
    const { console: kernel, log } = guestPaths(this.#guest);
    const { output } = await unipath(this.#machine, `-S ${this.socket} explain g1`);
    return this.#run(`echo "== side ${this.#spec.name}"; cat <<'END'\n${output}\nEND\ntail -n 60 ${this.#folder}/unipathd.log; tail -n 20 ${kernel} ${log}; true`);
  }

  /** Polls there, where it is cheap. */
  #until(condition: string): Promise<string> {
    const running = `[ -e /proc/$(cat ${this.#folder}/unipathd.pid) ] || { tail -c 2000 ${this.#folder}/unipathd.log; exit 1; }`;
    return this.#run(`until ${condition}; do ${running}; sleep 0.5; done`, BOOT_MS);
  }

  #run(command: string, deadlineMs = STEP_MS): Promise<string> {
    return this.#machine.run(command, { deadlineMs });
  }
}

/** The station on the wire. */
export async function createWorld(machine: HostMachine): Promise<void> {
  const wire = (await machine.run(`basename $(dirname $(grep -l ${WIRE_MAC} /sys/class/net/*/address))`)).trim();
  await machine.run(`ip netns add world && ip link set ${wire} netns world name wire && ip -n world address add ${WORLD}/24 dev wire && ip -n world link set wire up`);
}

/** Everybody asks the guest, until `answers`. */
export async function ask(machine: HostMachine): Promise<void> {
  for (const netns of STATIONS) await machine.run(`ip netns exec ${netns} busybox ping -i ${INTERVAL_S} ${GUEST} > /run/ping-${netns}.log 2>&1 & echo $! >> ${PINGS}`);
}

export interface Answers {
  readonly station: string;
  readonly sent: number;
  readonly answered: number;
  /** Longest time without an answer, seconds, and how long after the first question it began. */
  readonly silence: number;
  readonly since: number;
}

export async function answers(machine: HostMachine): Promise<Answers[]> {
  await machine.run(`sleep 4; kill -INT $(cat ${PINGS}); sleep 1; rm ${PINGS}`, { deadlineMs: STEP_MS });
  const all: Answers[] = [];
  for (const station of STATIONS) {
    const said = await machine.run(`cat /run/ping-${station}.log`);
    const numbers = [...new Set([...said.matchAll(/seq=(\d+) /g)].map(([, seq]) => Number(seq)))].sort((a, b) => a - b);
    const sent = Number(/(\d+) packets transmitted/.exec(said)?.[1] ?? 0);
    const edges = [-1, ...numbers, sent];
    const gaps = edges.slice(1).map((seq, i) => ({ from: (edges[i] ?? 0) + 1, length: seq - (edges[i] ?? 0) - 1 }));
    const longest = gaps.reduce((most, gap) => (gap.length > most.length ? gap : most));
    all.push({ station, sent, answered: numbers.length, silence: longest.length * INTERVAL_S, since: longest.from * INTERVAL_S });
  }
  return all;
}

export const answersText = ({ station, sent, answered, silence, since }: Answers): string =>
  `${station}: ${answered} of ${sent} answered, none for ${silence.toFixed(1)} s at most, from ${since.toFixed(1)} s on`;
