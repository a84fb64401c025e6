/** Guests of QEMU as steps: their taps, their processes, and what they are told at boot. Pure. */
import { IPV4_PREFIX_LENGTH, IPV6_PREFIX_LENGTH, type LabGuest, tapOf } from './model.js';
import { type LabPlace, machineFolder, namespaceOf } from './place.js';
import { guestPaths, qemuArguments } from './qemu/arguments.js';
import { guestCommandLine } from './qemu/command_line.js';
import type { Action, StartProcess, Step } from './steps.js';

/** What every machine is started from. */
export interface MachineFiles {
  /** How QEMU is called (qemu/emulator.ts). */
  readonly emulator: readonly string[];
  readonly kernel: string;
  /** The root file system. */
  readonly image: string;
  readonly accel: 'kvm' | 'tcg';
}

/** The traffic programs of every guest (reflector.c), by the port that they listen on. */
export const GUEST_PORTS = { echo: 7000, sink: 7001, tcp: 7002 } as const;
/** What the guest's end of a TCP stream sends. */
export const GUEST_TCP_BYTES_PER_SECOND = 50_000;

const MEMORY_MIB = 256;
/** Frames that a tap holds while QEMU is not let run. */
const TAP_QUEUE_FRAMES = '20000';

export const machineProcess = (guest: string, host: string): string => `qemu ${guest} on ${host}`;

const command = (...argv: string[]): Action => ({ kind: 'command', argv });

/** A tap that QEMU can open; down, and in no bridge. */
export function tapActions(netns: string, tap: string, mtu: number): Action[] {
  return [
    command('ip', '-n', netns, 'tuntap', 'add', 'dev', tap, 'mode', 'tap', 'vnet_hdr'),
    command('ip', '-n', netns, 'link', 'set', 'dev', tap, 'mtu', String(mtu), 'txqueuelen', TAP_QUEUE_FRAMES),
  ];
}

/** The guest's software path on one host, and the folder where unipathd looks for its machine. */
export function machinePortStep(place: LabPlace, guest: LabGuest, host: string, mtu: number): Step {
  const netns = namespaceOf(place, host);
  const tap = tapOf(guest);
  return {
    title: `tap of guest ${guest.name} on host ${host}`,
    actions: [
      { kind: 'make-directory', path: machineFolder(place, guest.name, host) },
      ...tapActions(netns, tap, mtu),
      command('ip', '-n', netns, 'link', 'set', 'dev', tap, 'master', 'br0', 'up'),
    ],
    undo: [],
    inside: [netns],
  };
}

/** @param incoming it waits for a guest that migrates here, and does not boot */
export function startMachine(place: LabPlace, guest: LabGuest, host: string, mtu: number, files: MachineFiles, incoming = false): StartProcess {
  const folder = machineFolder(place, guest.name, host);
  const paths = guestPaths(folder);
  const commandLine = guestCommandLine({
    ip: `${guest.ipv4}/${IPV4_PREFIX_LENGTH}`,
    ip6: `${guest.ipv6}/${IPV6_PREFIX_LENGTH}`,
    mtu,
    services: {
      echo: ['reflector', 'echo', 'udp', String(GUEST_PORTS.echo), '--echo-every', '1'],
      sink: ['reflector', 'sink', 'udp', String(GUEST_PORTS.sink)],
      tcp: ['reflector', 'tcp', 'tcp', String(GUEST_PORTS.tcp), '--rate', String(GUEST_TCP_BYTES_PER_SECOND)],
    },
  });
  const machine = {
    name: guest.name,
    nics: [{ id: 'net0', tap: tapOf(guest), mac: guest.mac, failover: true, queues: guest.queues }],
    memoryMiB: MEMORY_MIB,
    accel: files.accel,
    commandLine,
    ...(incoming ? { incoming: 'defer' } : {}),
  };
  return {
    kind: 'start-process',
    name: machineProcess(guest.name, host),
    netns: namespaceOf(place, host),
    argv: [...files.emulator, ...qemuArguments(machine, paths, files.kernel, files.image)],
    log: paths.log,
  };
}

/** Boots the guest where it is at home. */
export function machineStep(place: LabPlace, guest: LabGuest, mtu: number, files: MachineFiles): Step {
  const start = startMachine(place, guest, guest.host, mtu, files);
  return { title: `process ${start.name}`, actions: [start], undo: [{ kind: 'stop-process', name: start.name }], inside: [] };
}

export function awaitMachineStep(place: LabPlace, guest: LabGuest): Step {
  const folder = machineFolder(place, guest.name, guest.host);
  const action: Action = { kind: 'await-machine', process: machineProcess(guest.name, guest.host), guest: guest.name, folder };
  return { title: `guest ${guest.name} boots`, actions: [action], undo: [], inside: [] };
}
