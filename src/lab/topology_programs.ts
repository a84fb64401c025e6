/** The processes of the lab as steps: VMMs, guest agents, unipathd on each host. Pure. */
import { daemonConfigText } from './daemon_config.js';
import { initialHomes, type LabGuest, type LabSpec, tapOf } from './model.js';
import {
  guestDirectory,
  guestPins,
  hostConfigPath,
  hostDirectory,
  hostSocketPath,
  type LabPlace,
  namespaceOf,
  vmmSocketPath,
} from './place.js';
import type { Action, StartProcess, Step } from './steps.js';

/** How to start what runs in the lab. */
export interface LabPrograms {
  readonly node: string;
  readonly daemon: string;
  readonly agent: string;
  readonly vmm: string;
}

export const vmmProcess = (guest: string): string => `vmm ${guest}`;
export const daemonProcess = (host: string): string => `unipathd ${host}`;
export const agentProcess = (guest: string): string => `agent ${guest}`;

function processStep(name: string, directory: string, start: StartProcess, before: Action[]): Step {
  const actions: Action[] = [{ kind: 'make-directory', path: directory }, ...before, start];
  return { title: `process ${name}`, actions, undo: [{ kind: 'stop-process', name }], inside: [] };
}

/** Outlives `lab up`, so it is controlled by a socket. It is in no namespace of the lab: it reaches into two, as QEMU does. */
export function vmmStep(place: LabPlace, guest: LabGuest, programs: LabPrograms): Step {
  const name = vmmProcess(guest.name);
  const directory = guestDirectory(place, guest.name);
  const log = `${directory}/vmm.log`;
  const argv = [programs.node, programs.vmm, '--socket', vmmSocketPath(place, guest.name)];
  argv.push('--guest-netns', namespaceOf(place, guest.name), '--guest-tap', 'eth0');
  argv.push('--netns', namespaceOf(place, guest.host), '--tap', tapOf(guest), '--queues', String(guest.queues));
  const built = processStep(name, directory, { kind: 'start-process', name, netns: null, argv, log }, []);
  return { ...built, actions: [...built.actions, { kind: 'await-ready', process: name, log }] };
}

/** Starts unipathd of one host; its configuration is written before. */
export function startDaemon(place: LabPlace, host: string, programs: LabPrograms): StartProcess {
  return {
    kind: 'start-process',
    name: daemonProcess(host),
    netns: namespaceOf(place, host),
    argv: [programs.node, programs.daemon, '--config', hostConfigPath(place, host)],
    log: `${hostDirectory(place, host)}/unipathd.log`,
  };
}

export const awaitDaemon = (place: LabPlace, host: string): Action => ({
  kind: 'await-daemon',
  process: daemonProcess(host),
  socket: hostSocketPath(place, host),
  log: `${hostDirectory(place, host)}/unipathd.log`,
});

/** Agents first: a guest must be ready for its VF before anyone can plug one. */
export function programSteps(place: LabPlace, spec: LabSpec, programs: LabPrograms): Step[] {
  const homes = initialHomes(spec);
  const steps: Step[] = [];
  const ready: Action[] = [];
  // A machine has net_failover, or brings its own agent.
  for (const guest of spec.guests.filter(({ attachedBy }) => attachedBy !== 'qemu')) {
    const directory = guestDirectory(place, guest.name);
    const log = `${directory}/agent.log`;
    steps.push(
      processStep(
        agentProcess(guest.name),
        directory,
        {
          kind: 'start-process',
          name: agentProcess(guest.name),
          netns: namespaceOf(place, guest.name),
          argv: [programs.node, programs.agent, '--interface', 'eth0', '--pins', guestPins(place, guest.name)],
          log,
        },
        [],
      ),
    );
    ready.push({ kind: 'await-ready', process: agentProcess(guest.name), log });
  }
  for (const host of spec.hosts) {
    const text = daemonConfigText(place, spec, host.name, homes);
    steps.push(
      processStep(daemonProcess(host.name), hostDirectory(place, host.name), startDaemon(place, host.name, programs), [
        { kind: 'write-file', path: hostConfigPath(place, host.name), text },
      ]),
    );
    ready.push(awaitDaemon(place, host.name));
  }
  steps.push({ title: ready.length > spec.hosts.length ? 'daemons and agents are ready' : 'daemons are ready', actions: ready, undo: [], inside: [] });
  return steps;
}
