/** The one switch that performs the changes of the scenario. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { VnicPath } from '../../core/model.js';
import { run } from '../../host/exec.js';
import { unlessAborted } from '../interrupt.js';
import { hostOf } from '../model.js';
import { performAction } from '../perform.js';
import { namespaceOf } from '../place.js';
import type { Change } from '../scenario.js';
import { vfActions } from '../topology.js';
import type { Lab } from '../up.js';
import { ChangeFailedError, type Guests } from './guests.js';
import type { Hosts } from './hosts.js';

const POLL_MS = 25;

export interface Stage {
  readonly lab: Lab;
  readonly hosts: Hosts;
  readonly guests: Guests;
  /** For a guest to be on the path asked for. */
  readonly patienceMs: number;
  /** VFs that break-vf deleted: host name and index. */
  readonly brokenVfs: { readonly host: string; readonly index: number }[];
  readonly note: (title: string, detail: string, tone: 'change' | 'fault') => void;
  /** A guest was stopped for so long, milliseconds, for a migration. */
  readonly stoodStill: (ms: number) => void;
  readonly signal: AbortSignal;
}

const seconds = (ms: number): string => `${ms / 1000} s`;

async function awaitPath(stage: Stage, guest: string, path: VnicPath): Promise<void> {
  const deadline = Date.now() + stage.patienceMs;
  for (;;) {
    stage.signal.throwIfAborted();
    const own = stage.guests.watches.get(guest)?.path;
    // unipathd is asked only when the guest is there: asking costs both of us time.
    const vnic = own === path ? await stage.hosts.vnic(guest) : null;
    if (vnic?.path === path && vnic.phase === path) return;
    if (Date.now() > deadline) {
      const seen = await stage.hosts.vnic(guest);
      const said = seen === null ? 'does not know it' : `says ${seen.path}, phase ${seen.phase}: ${seen.reason_text}`;
      throw new ChangeFailedError(`${guest} is not ${path} after ${seconds(stage.patienceMs)}: it transmits on its ${own} path, unipathd ${said}`);
    }
    await sleep(POLL_MS);
  }
}

async function want(stage: Stage, change: Extract<Change, { kind: 'want' }>): Promise<void> {
  const { guest, path, reaches } = change;
  const client = stage.hosts.client(stage.hosts.homeOf(guest));
  const asked = client.act(guest, path === 'accelerated' ? 'accelerate' : 'software', reaches ? stage.patienceMs : 0);
  const { reached, vnic } = await unlessAborted(asked, stage.signal);
  if (reaches && !reached) throw new ChangeFailedError(`${guest} is not ${path} after ${seconds(stage.patienceMs)}: ${vnic.reason_text}`);
  if (reaches) await awaitPath(stage, guest, path);
}

/** Waits until the guest transmits on its software path, or has done so meanwhile: it may be on another VF before anyone looks. */
async function awaitLeft(stage: Stage, guest: string, changesBefore: number): Promise<void> {
  const deadline = Date.now() + stage.patienceMs;
  const watch = stage.guests.watches.get(guest);
  while (watch !== undefined && watch.path !== 'software' && watch.transitions.length === changesBefore) {
    stage.signal.throwIfAborted();
    if (Date.now() > deadline) throw new ChangeFailedError(`${guest} has not left its VF ${seconds(stage.patienceMs)} after it broke`);
    await sleep(POLL_MS);
  }
}

async function breakVf(stage: Stage, guest: string): Promise<void> {
  const vnic = await stage.hosts.vnic(guest);
  if (vnic === null || vnic.vf === null) throw new ChangeFailedError(`${guest} has no VF that could break`);
  const host = stage.hosts.homeOf(guest);
  const changesBefore = stage.guests.watches.get(guest)?.transitions.length ?? 0;
  const what = stage.lab.spec.kind === 'qemu' ? `the tap under the device of ${guest} is deleted` : `deleted with its device in ${guest}`;
  stage.note(`${vnic.vf} of host ${host} dies`, `${what}, without notice`, 'fault');
  // One end of a veth pair takes the other with it, wherever that is; a tap goes away under QEMU.
  await run('ip', ['-n', namespaceOf(stage.lab.place, host), 'link', 'delete', 'dev', vnic.vf]);
  stage.brokenVfs.push({ host, index: Number(/\d+$/.exec(vnic.vf)?.[0]) });
  await awaitLeft(stage, guest, changesBefore);
}

async function restoreVfs(stage: Stage, hostName: string): Promise<void> {
  const host = hostOf(stage.lab.spec, hostName);
  for (const broken of stage.brokenVfs.filter((each) => each.host === hostName)) {
    for (const action of vfActions(namespaceOf(stage.lab.place, hostName), host, broken.index, stage.lab.spec.mtu)) {
      await performAction(action, stage.lab);
    }
    stage.brokenVfs.splice(stage.brokenVfs.indexOf(broken), 1);
  }
}

async function rehome(stage: Stage, guest: string, to: string): Promise<void> {
  const { stoodStillMs } = await stage.guests.rehome(guest, to, (detail) => stage.note(`${guest} is on host ${to}`, detail, 'change'));
  stage.stoodStill(stoodStillMs);
}

async function startDaemon(stage: Stage, host: string): Promise<void> {
  await stage.hosts.start(host);
  const { adopted } = await stage.hosts.client(host).status();
  stage.note(`unipathd of host ${host} is back`, adopted ? 'took over what it found pinned' : 'started anew', 'change');
  if (!adopted) throw new ChangeFailedError(`unipathd of host ${host} did not take over the programs that were running`);
}

/** @throws ChangeFailedError when it was done but has not come about; anything else: it could not be done */
export async function performChange(change: Change, stage: Stage): Promise<void> {
  switch (change.kind) {
    case 'want':
      return want(stage, change);
    case 'break-vf':
      return breakVf(stage, change.guest);
    case 'restore-vfs':
      return restoreVfs(stage, change.host);
    case 'rehome':
      return rehome(stage, change.guest, change.to);
    case 'kill-daemon':
      await stage.hosts.kill(change.host);
      return stage.note(`unipathd of host ${change.host} killed`, 'SIGKILL; the data plane goes on alone', 'fault');
    case 'start-daemon':
      return startDaemon(stage, change.host);
    case 'await-path':
      return awaitPath(stage, change.guest, change.path);
    case 'wait':
      await sleep(change.seconds * 1000, undefined, { signal: stage.signal });
      return;
    default:
      change satisfies never;
  }
}
