/** Tells the service manager how the daemon is doing (sd_notify(3)): ready, reading its configuration, ending, and that its event loop turns. */
import { notifyServiceManager } from '../native/service_manager.js';

export interface NotifierOptions {
  /** What could not be told. */
  readonly warn: (message: string) => void;
  /** Default: this process's. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Default: sd_notify(3). */
  readonly send?: (state: string) => void;
}

/**
 * How often the watchdog wants to hear, in milliseconds: half of the time after which it gives up, as sd_watchdog_enabled(3) advises.
 * Null: there is none, or it is another process's.
 */
export function watchdogIntervalMs(environment: NodeJS.ProcessEnv, pid: number): number | null {
  const { WATCHDOG_USEC: limit, WATCHDOG_PID: watched } = environment;
  if (watched !== undefined && Number(watched) !== pid) return null;
  const limitUs = Number(limit);
  return limit !== undefined && Number.isFinite(limitUs) && limitUs > 0 ? limitUs / 2000 : null;
}

export class ServiceNotifier {
  readonly #warn: (message: string) => void;
  readonly #send: (state: string) => void;
  readonly #watchdogMs: number | null;
  #watchdog: NodeJS.Timeout | null = null;
  #isReady = false;

  constructor({ warn, environment = process.env, send = notifyServiceManager }: NotifierOptions) {
    this.#warn = warn;
    this.#send = send;
    this.#watchdogMs = watchdogIntervalMs(environment, process.pid);
  }

  /** Started. From now on the watchdog hears of us. */
  ready(): void {
    this.#isReady = true;
    this.#tell('READY=1');
    if (this.#watchdogMs !== null) this.#watchdog ??= setInterval(() => this.#tell('WATCHDOG=1'), this.#watchdogMs).unref();
  }

  /** Until reloaded(). Who is starting or ending is that, and nothing else. */
  reloading(): void {
    // systemd 253 and newer want to know when, to tell one reload from the next.
    if (this.#isReady) this.#tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  reloaded(): void {
    if (this.#isReady) this.#tell('READY=1');
  }

  /** The watchdog hears no more of us: who ends has a deadline of its own. */
  stopping(): void {
    this.#isReady = false;
    this.#tell('STOPPING=1');
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
  }

  #tell(state: string): void {
    try {
      this.#send(state);
    } catch (error) {
      this.#warn((error as Error).message);
    }
  }
}
