/** The one switch that performs the changes of the scenario. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { VnicPath } from '../../core/model.js';
import { run } from '../../host/exec.js';
import { guestOf, hostOf, tapOf } from '../model.js';
import { performAction } from '../perform.js';
import { namespaceOf } from '../place.js';
import type { Change } from '../scenario.js';
import { vfActions } from '../topology.js';
import type { Lab } from '../up.js';
import type { VmmClient } from '../vmm_client.js';
import type { Hosts } from './hosts.js';
import type { PluginWatch } from './plugin_watch.js';

const WANT_MS = 10_000;
const PATH_MS = 10_000;
const POLL_MS = 25;
/** After a guest's switch to another host, until the old one is taken away: longer than any frame is on its way. */
const LINGER_MS = 250;

export interface Stage {
  readonly lab: Lab;
  readonly hosts: Hosts;
  readonly vmms: ReadonlyMap<string, VmmClient>;
  readonly watches: ReadonlyMap<string, PluginWatch>;
  /** VFs that break-vf deleted: host name and index. */
  readonly brokenVfs: { readonly host: string; readonly index: number }[];
  readonly note: (title: string, detail: string, tone: 'change' | 'fault') => void;
  readonly signal: AbortSignal;
}

/** Something did not come about; the step goes on and the failure is reported with it. */
export class ChangeFailedError extends Error {
  override readonly name = 'ChangeFailedError';
}

async function awaitPath(stage: Stage, guest: string, path: VnicPath): Promise<void> {
  const deadline = Date.now() + PATH_MS;
  for (;;) {
    stage.signal.throwIfAborted();
    const own = stage.watches.get(guest)?.path;
    // unipathd is asked only when the guest is there: asking costs both of us time.
    const vnic = own === path ? await stage.hosts.vnic(guest) : null;
    if (vnic?.path === path && vnic.phase === path) return;
    if (Date.now() > deadline) {
      const seen = await stage.hosts.vnic(guest);
      const said = seen === null ? 'does not know it' : `says ${seen.path}, phase ${seen.phase}: ${seen.reason_text}`;
      throw new ChangeFailedError(`${guest} is not ${path} after ${PATH_MS / 1000} s: it transmits on its ${own} path, unipathd ${said}`);
    }
    await sleep(POLL_MS);
  }
}

async function want(stage: Stage, change: Extract<Change, { kind: 'want' }>): Promise<void> {
  const { guest, path, reaches } = change;
  const client = stage.hosts.client(stage.hosts.homeOf(guest));
  const { reached, vnic } = await client.act(guest, path === 'accelerated' ? 'accelerate' : 'software', reaches ? WANT_MS : 0);
  if (reaches && !reached) throw new ChangeFailedError(`${guest} is not ${path} after ${WANT_MS / 1000} s: ${vnic.reason_text}`);
  if (reaches) await awaitPath(stage, guest, path);
}

async function breakVf(stage: Stage, guest: string): Promise<void> {
  const vnic = await stage.hosts.vnic(guest);
  if (vnic === null || vnic.vf === null) throw new ChangeFailedError(`${guest} has no VF that could break`);
  const host = stage.hosts.homeOf(guest);
  stage.note(`${vnic.vf} of host ${host} dies`, `deleted with its device in ${guest}, without notice`, 'fault');
  // One end of a veth pair takes the other with it, wherever that is.
  await run('ip', ['-n', namespaceOf(stage.lab.place, host), 'link', 'delete', 'dev', vnic.vf]);
  stage.brokenVfs.push({ host, index: Number(/\d+$/.exec(vnic.vf)?.[0]) });
  await awaitPath(stage, guest, 'software').catch((error: unknown) => {
    // It may be on another VF before anyone looked.
    if (stage.watches.get(guest)?.path !== 'accelerated') throw error;
  });
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

/** The order loses nothing: the new host is ready before the guest transmits to it, the old one is taken away after. */
async function rehome(stage: Stage, guestName: string, to: string): Promise<void> {
  const { hosts, lab } = stage;
  const guest = guestOf(lab.spec, guestName);
  const vmm = stage.vmms.get(guestName);
  const from = hosts.homeOf(guestName);
  if (vmm === undefined) throw new ChangeFailedError(`${guestName} has no VMM that could re-home it`);
  await vmm.attach(namespaceOf(lab.place, to), tapOf(guest));
  await hosts.serve(to, guestName, true);
  await vmm.switch(guest.mac);
  hosts.homes.set(guestName, to);
  stage.note(`${guestName} is on host ${to}`, `re-homed live from host ${from}`, 'change');
  await sleep(LINGER_MS);
  await hosts.serve(from, guestName, false);
  await vmm.detach(namespaceOf(lab.place, from));
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
