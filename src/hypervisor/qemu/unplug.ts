/**
 * Takes a device back from a running guest.
 *
 * device_del only asks the guest; it is out when QEMU sends DEVICE_DELETED for it, and shows it no more. Then the netdev goes,
 * never before: QEMU would let it, and the guest would keep a NIC that hears nothing. A guest that does not answer costs
 * `deadlineMs`, and 5 s for a command that QEMU itself does not answer. Source: QEMU's qapi/qdev.json.
 *
 * What is not seen here: that the host's driver has let a passed-through VF go. Look at the host before it is used again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { netdevIdOfDevice } from './device_ids.js';
import { MonitorLostError, type QemuMonitor, QmpError, type QmpEvent } from './monitor.js';
import { devicePath, getProperty, holdsDevice } from './qom.js';

export interface UnplugOptions {
  /** How long the guest may take. */
  readonly deadlineMs: number;
  /** Called once QEMU has taken the request; the guest may do it any moment now. Not when the device is not there. */
  readonly onRequested?: () => void;
}

/**
 * gone: it was there, and is no more. absent: it was not there. refused: QEMU or the guest said no; not_ejected: the guest did
 * not do it in time. In the last two it is still in the guest, may still leave it, and a later call carries on.
 */
export type UnplugOutcome = 'gone' | 'absent' | 'refused' | 'not_ejected';

export interface UnplugResult {
  readonly outcome: UnplugOutcome;
  readonly tookMs: number;
  /** For people: what happened, and what to do about it. */
  readonly message: string;
}

/** How long QEMU may show a device that it said is deleted. */
const GONE_DEADLINE_MS = 1_000;
const GONE_POLL_MS = 10;
/** A guest that has just been given a device is not asked for it back until it has done with that. */
const BUSY_POLL_MS = 200;

/** @throws MonitorLostError when the outcome is not known, which is also when QEMU ends meanwhile; QmpError when its netdev cannot be removed */
export async function unplugDevice(monitor: QemuMonitor, id: string, options: UnplugOptions): Promise<UnplugResult> {
  const started = performance.now();
  const result = (outcome: UnplugOutcome, message: string): UnplugResult => {
    const tookMs = performance.now() - started;
    return { outcome, tookMs, message: `${monitor.name}: device ${id} ${message}` };
  };
  const deadline = started + options.deadlineMs;
  // From before the request on: the guest may be faster than QEMU's answer.
  const watch = new DepartureWatch(monitor, id);
  try {
    const netdevId = netdevIdOfDevice(id) ?? (await netdevOf(monitor, id));
    if (!(await holdsDevice(monitor, id))) {
      await removeNetdev(monitor, netdevId);
      return result('absent', 'is not in the guest');
    }
    const request = await ask(monitor, id, deadline);
    if (request.kind === 'refused') return result('refused', `stays: QEMU does not ask the guest for it: ${request.why}`);
    if (request.kind === 'asked') options.onRequested?.();
    const departure = request.kind === 'asked' ? await watch.until(deadline) : 'deleted';
    if (departure === 'refused') return result('refused', 'stays: the guest refused to give it back; look at its kernel log');
    if (!(await isGone(monitor, id, departure === 'deleted' ? GONE_DEADLINE_MS : 0))) {
      const why = `did not leave the guest within ${Math.round(options.deadlineMs)} ms`;
      return result('not_ejected', `${why}: it has been asked, and may do so later; a guest that is stopped, still starts, or has no PCIe hot-plug driver does not`);
    }
    await removeNetdev(monitor, netdevId);
    return result('gone', 'has left the guest');
  } finally {
    watch.stop();
  }
}

type Departure = 'deleted' | 'refused' | 'late';

/** What becomes of one device: the first thing that QEMU says of it. */
class DepartureWatch {
  readonly #stops: (() => void)[];
  readonly #said: Promise<Departure>;

  constructor(monitor: QemuMonitor, id: string) {
    let say!: (departure: Departure) => void;
    let fail!: (error: Error) => void;
    this.#said = new Promise((resolve, reject) => {
      say = resolve;
      fail = reject;
    });
    // Somebody may have stopped listening by then.
    this.#said.catch(() => {});
    this.#stops = [
      monitor.onEvent((event) => {
        if (!isAbout(event, id)) return;
        if (event.name === 'DEVICE_DELETED') say('deleted');
        else if (event.name === 'DEVICE_UNPLUG_GUEST_ERROR') say('refused');
      }),
      monitor.onEnd((why) => fail(new MonitorLostError(`device ${id}: ${why}`))),
    ];
  }

  /** @throws MonitorLostError */
  async until(deadline: number): Promise<Departure> {
    const abort = new AbortController();
    const late = sleep(Math.max(0, deadline - performance.now()), 'late' as const, { signal: abort.signal }).catch(() => 'late' as const);
    try {
      return await Promise.race([this.#said, late]);
    } finally {
      abort.abort();
    }
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }
}

/** A device's parts have paths below its own, and no id; QEMU tells of them first. */
function isAbout(event: QmpEvent, id: string): boolean {
  return event.data['device'] === id || event.data['path'] === devicePath(id);
}

/** asked: now, or before, and the guest has not answered. */
type Request = { readonly kind: 'asked' } | { readonly kind: 'left' } | { readonly kind: 'refused'; readonly why: string };

async function ask(monitor: QemuMonitor, id: string, deadline: number): Promise<Request> {
  for (;;) {
    try {
      await monitor.execute('device_del', { id });
      return { kind: 'asked' };
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      if (/already in the process of unplug/.test(error.message)) return { kind: 'asked' };
      if (error.qmpClass === 'DeviceNotFound') return { kind: 'left' };
      if (!/guest is busy/.test(error.message) || performance.now() + BUSY_POLL_MS > deadline) return { kind: 'refused', why: error.message };
      await sleep(BUSY_POLL_MS);
    }
  }
}

async function isGone(monitor: QemuMonitor, id: string, patienceMs: number): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (await holdsDevice(monitor, id)) {
    if (performance.now() >= deadline) return false;
    await sleep(GONE_POLL_MS);
  }
  return true;
}

/** null when it has none. */
async function netdevOf(monitor: QemuMonitor, id: string): Promise<string | null> {
  const netdev = await getProperty(monitor, devicePath(id), 'netdev');
  return typeof netdev === 'string' && netdev !== '' ? netdev : null;
}

async function removeNetdev(monitor: QemuMonitor, netdevId: string | null): Promise<void> {
  if (netdevId === null) return;
  try {
    await monitor.execute('netdev_del', { id: netdevId });
  } catch (error) {
    if (!(error instanceof QmpError && error.qmpClass === 'DeviceNotFound')) throw error;
  }
}
