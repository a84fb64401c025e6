/**
 * The daemon's heart: observe -> plan -> execute, again whenever something may have changed. One look at a time; what it
 * finds to do is done for each vNIC in its own sequence, several of them at once, and a vNIC that is being worked on is left
 * out of looks until it is done. Who gets which VF and which id is decided in the plan, before any sequence starts.
 */
import { randomBytes } from 'node:crypto';
import type { Controller, LookReport, ReconcileHealth, VnicBrief, VnicPorts } from '../control/controller.js';
import type { AdapterStatus, DownReply, MonitorEvent, QuotaStatus, ReloadReply, VfStatus, VnicStatus, WhyReply } from '../control/protocol.js';
import type { RssChange, RssRequest, RssSetResult, RssStatus } from '../control/rss_protocol.js';
import { describeAction, type Action, type Sequence } from '../core/actions.js';
import { addFailure, DEFAULT_TIMING, mayTry, type Timing, type Trouble } from '../core/backoff.js';
import { isPassedThrough, PARKING_VLAN, questionMac } from '../core/adapter_vf.js';
import { conditionsOf } from '../core/conditions.js';
import { RSS_KEY_SIZE, RSS_ROWS } from '../core/limits.js';
import {
  type AdapterSpec, guestName, type Desired, type NotAcceleratedReason, type Observed, type PortRole, type RssWish, type VnicPath, type VnicRssWish,
} from '../core/model.js';
import { earliestWake, plan, planAdapter, planRescue, stepTenant, type Plan } from '../core/plan.js';
import { pluginQuestionPort } from '../core/plugin_guest.js';
import { type KeyChoice, planKeyChange, planRss, rowForKey, writeKey } from '../core/rss_plan.js';
import { wantedPath, type Tenant } from '../core/tenant.js';
import type { PoolView } from '../core/tenant_pool.js';
import { resolve, type KnownTaps } from '../core/discovery.js';
import { questions } from '../core/question.js';
import { asked, claimedVf, phaseOf, type StepKind, type VnicEvent } from '../core/vnic_state.js';
import type { DataPlaneEvent, HoldReport, PathState } from '../dataplane/port.js';
import type { HypervisorEvent } from '../hypervisor/port.js';
import { type Adapters, NO_ADAPTERS } from '../sriov/port.js';
import { Alarm } from './alarm.js';
import { Asking } from './asking.js';
import { systemClock, type Clock } from './clock.js';
import { resumeFrame } from './control_frame.js';
import { differenceOf } from './difference.js';
import { messageOf, NotInQuarantineError, NotUndoneError, RssRefusedError, StepError, UnknownNameError, UnknownVfError } from './errors.js';
import { Executor, type Hands } from './executor.js';
import { linkEvents } from './link_events.js';
import { Observer, type HostView, type Links } from './observe.js';
import { PluginAnswers } from './plugin_answers.js';
import { QuarantineKeeper, type QuarantineStore } from './quarantine_keeper.js';
import { Reporter, silentLogger, type Logger } from './report.js';
import { hostWishAfter, keyAfter, wishAfter } from './rss_change.js';
import { changesBy, isSpreadAsWanted, keyOf, mostQueues, rssStatus } from './rss_status.js';
import { adapterStatus, quotaStatus, vnicBrief, vnicPorts, vnicStatus } from './status.js';
import { tenantEvents } from './tenant_events.js';
import { Waiters } from './waiters.js';

export interface ReconcilerParts extends Omit<Hands, 'adapters'> {
  /** Default: no VF is passed through. */
  readonly adapters?: Adapters;
  readonly desired: Desired;
  /** CPUs that can serve queues, ascending; asked at every look. */
  readonly cpus: () => readonly number[];
  readonly log?: Logger;
  readonly clock?: Clock;
  readonly timing?: Partial<Timing>;
  /** Draws an RSS key, hexadecimal digits. */
  readonly randomKey?: () => string;
  /** Where it is kept over a restart which VFs are in quarantine; default: nowhere. */
  readonly quarantines?: QuarantineStore;
}

/** Links tell of every small thing; wait until a burst of them is over, but not long. */
const LINK_DEBOUNCE_MS = 5;
const PERIOD_MS = 2000;
const AFTER_ERROR_MS = 500;
const AFTER_SWEEP_MS = 50;
/** How long a command waits for what it set off, at most. */
const START_DEADLINE_MS = 15_000;
const RELOAD_DEADLINE_MS = 10_000;
const RSS_DEADLINE_MS = 5_000;
const NO_KEY_ROW = `key: ${RSS_ROWS} keys are in use already; give vNICs that have one of their own the host's again (\`unipath rss set VNIC --reset\`)`;
const RESERVE_DEADLINE_MS = 5_000;

const NO_PATH: PathState = { path: 'software', vfAllowed: false, generation: 0, hold: 'none' };
const NO_RSS: RssStatus = {
  key: '',
  key_source: 'default',
  key_random: true,
  key_problem: null,
  hash_types: [],
  hash_types_source: 'default',
  vnics: [],
};

export class Reconciler implements Controller {
  readonly #hands: Hands;
  readonly #clock: Clock;
  readonly #timing: Timing;
  readonly #randomKey: () => string;
  readonly #report: Reporter;
  readonly #observer: Observer;
  readonly #executor: Executor;
  readonly #waiters: Waiters;
  readonly #alarm: Alarm;
  readonly #asking: Asking;
  readonly #plugins: PluginAnswers;

  /** What the configuration says, and with what is found of virtual machines. */
  #configured: Desired;
  #desired: Desired;
  #taps: KnownTaps = new Map();
  #tenants = new Map<string, Tenant>();
  readonly #adapterTroubles = new Map<string, Trouble>();
  #observed: Observed | null = null;
  readonly #quarantines: QuarantineKeeper;

  /** Tenants that something is being done for, and the end of what is being done. */
  readonly #busy = new Map<string, Promise<void>>();
  /** Number of the look during which something was last done for a tenant: what that look saw of it is old. */
  readonly #touched = new Map<string, number>();
  #looks = 0;
  #looking = false;
  #glancing = false;
  /** When the next look is due; null: it is running, or nothing runs at all. */
  #lookAtMs: number | null = null;

  /** The last look found nothing to do, and nothing has been asked for since. */
  #quiet = false;
  #askedSinceLook = false;
  #running = false;
  #lastLookMs: number | null = null;
  /** Since when something has been asked for that is not done yet. */
  #askedAtMs: number | null = null;
  readonly #lookListeners = new Set<(look: LookReport) => void>();
  #error: string | null = null;
  /** Path of the vNIC that is being put on the software path; that is done in one go. */
  #pathBefore: VnicPath = 'software';
  #undone: string[] | null = null;
  /** The last command about RSS. */
  #rssTurn: Promise<unknown> = Promise.resolve();
  /** Row that a key is being written to for one vNIC. */
  #claimedKeyRow: number | null = null;
  #unsubscribe: (() => void)[] = [];

  constructor(parts: ReconcilerParts) {
    const { dataPlane, host, hypervisor, adapters = NO_ADAPTERS } = parts;
    this.#hands = { dataPlane, host, hypervisor, adapters };
    this.#configured = parts.desired;
    this.#desired = parts.desired;
    this.#clock = parts.clock ?? systemClock;
    this.#timing = { ...DEFAULT_TIMING, ...parts.timing };
    this.#randomKey = parts.randomKey ?? ((): string => randomBytes(RSS_KEY_SIZE).toString('hex'));
    this.#quarantines = new QuarantineKeeper(parts.quarantines ?? null);
    this.#report = new Reporter(this.#clock, parts.log ?? silentLogger);
    this.#waiters = new Waiters(this.#clock);
    this.#alarm = new Alarm(this.#clock, (armedAtMs) => this.#alarmRang(armedAtMs));
    this.#plugins = new PluginAnswers(() => this.#clock.nowMs());
    this.#observer = new Observer(
      this.#hands,
      parts.cpus,
      () => this.#clock.nowMs(),
      (guest) => this.#plugins.has(guest),
      (about, message) => this.#report.warn(about, message),
    );
    this.#executor = new Executor(
      this.#hands,
      (action) => this.#actionBegins(action),
      (action, owner) => this.#actionDone(action, owner),
      (owner, path, report) => this.#released(owner, path, report),
    );
    this.#asking = new Asking(this.#clock, (ifindex, frame) => this.#hands.host.sendFrame(ifindex, frame));
  }

  // --- Controller ---

  adapterStatus(): readonly AdapterStatus[] {
    const attachments = this.#hands.dataPlane.attachments();
    return this.#desired.adapters.map((adapter) => adapterStatus(adapter, this.#poolView(), attachments));
  }

  quotaStatus(): readonly QuotaStatus[] {
    return quotaStatus(this.#poolView());
  }

  vnicStatus(): readonly VnicStatus[] {
    const shown = [...this.#tenants.values()].filter((tenant) => !this.#isShadowed(tenant));
    const observed = this.#observed === null ? null : this.#withMaps(this.#observed);
    return shown.sort((a, b) => Number(a.removed) - Number(b.removed)).map((tenant) => this.#statusOf(tenant, observed));
  }

  *vnicBriefs(): Generator<VnicBrief, void> {
    for (const key of [...this.#tenants.keys()]) {
      const tenant = this.#tenants.get(key);
      if (tenant !== undefined && !this.#isShadowed(tenant)) yield vnicBrief(tenant, this.#observed, this.#pathOf(tenant));
    }
  }

  *vnicPorts(): Generator<VnicPorts, void> {
    for (const tenant of this.#tenants.values()) if (!this.#isShadowed(tenant)) yield vnicPorts(tenant, this.#observed);
  }

  health(): ReconcileHealth {
    return { lastReconcileAgeMs: this.#lastLookMs === null ? null : this.#clock.nowMs() - this.#lastLookMs, error: this.#error };
  }

  vnicIds(): ReadonlyMap<number, string> {
    return new Map([...this.#tenants.values()].flatMap((tenant) => (tenant.id === null ? [] : [[tenant.id, tenant.spec.name] as const])));
  }

  async want(name: string, path: VnicPath | null, waitMs: number): Promise<{ readonly reached: boolean; readonly vnic: VnicStatus }> {
    const tenant = await this.#known(name);
    const words = path === null ? 'the path that the configuration says' : `the ${path} path`;
    this.#report.event('config', name, tenant.spec.adapter, `the operator wants ${name} on ${words}`, { want: path });
    this.#setTenant({ ...tenant, operatorWant: path });
    this.#keepWish(tenant.key, tenant.id, path);
    this.#dispatch(tenant.key, { kind: 'retry-now' });
    this.#requestLook(0);
    const reached = await this.#waiters.until(() => this.#hasReached(name), waitMs);
    const now = this.#named(name);
    if (now === null) throw new UnknownNameError(name, []);
    return { reached, vnic: this.#statusOf(now) };
  }

  async why(name: string): Promise<Omit<WhyReply, 'schema'>> {
    const tenant = await this.#known(name);
    // There are tenants only after a look.
    if (this.#observed === null) throw new UnknownNameError(name, []);
    const observed = this.#withMaps(this.#observed);
    const conditions = conditionsOf(tenant, {
      desired: this.#desired,
      observed,
      tenants: [...this.#tenants.values()],
      adapterTroubles: this.#adapterTroubles,
      quarantines: this.#quarantines.all,
      path: this.#pathOf(tenant),
      nowMs: this.#clock.nowMs(),
    });
    return { vnic: this.#statusOf(tenant, observed), conditions };
  }

  async reserve(name: string, leaseMs: number): Promise<VnicStatus> {
    const tenant = await this.#known(name);
    const reservation = leaseMs === 0 ? null : { port: null, untilMs: this.#clock.nowMs() + leaseMs, by: 'operator' as const };
    const what = leaseMs === 0 ? 'nothing is reserved any more' : `a VF is reserved for ${leaseMs / 1000} s`;
    this.#report.event('config', name, tenant.spec.adapter, `${what} for ${name}`, { lease_ms: leaseMs });
    this.#setTenant({ ...tenant, reservation });
    this.#touched.set(tenant.key, this.#looks);
    this.#requestLook(0);
    await this.#waiters.until(() => this.#quiet || this.#named(name)?.reservation?.port != null, RESERVE_DEADLINE_MS);
    return this.#statusOf(await this.#known(name));
  }

  async quarantine(port: string, reason: string | null): Promise<VfStatus> {
    const adapter = this.#desired.adapters.find(({ vfs }) => vfs.some((vf) => vf.port === port));
    if (adapter === undefined) throw new UnknownVfError(port, this.#desired.adapters.flatMap(({ vfs }) => vfs.map((vf) => vf.port)));
    if (reason !== null) this.#putInQuarantine(port, reason, 'operator', adapter.name);
    else if (!this.#quarantines.release(port)) throw new NotInQuarantineError(port);
    else this.#report.event('vf', null, adapter.name, `VF ${port} is out of quarantine`, { vf: port });
    this.#requestLook(0);
    await this.#waiters.until(() => this.#quiet, RELOAD_DEADLINE_MS);
    const vf = this.adapterStatus().flatMap(({ vfs }) => vfs).find((each) => each.port === port);
    if (vf === undefined) throw new UnknownVfError(port, []);
    return vf;
  }

  rssStatus(): RssStatus {
    return this.#observed === null ? NO_RSS : rssStatus(this.#desired, this.#present(), this.#withMaps(this.#observed));
  }

  async setRss(name: string | null, request: RssRequest): Promise<RssSetResult> {
    await this.#waiters.until(() => this.#observed !== null, START_DEADLINE_MS);
    if (this.#observed === null) throw new RssRefusedError('the host has not been looked at yet; try again in a moment');
    const observed = this.#observed;
    const set = async (): Promise<RssChange[]> =>
      name === null ? this.#setHostRss(request, observed) : this.#setVnicRss(await this.#known(name), request, observed);
    // One after the other: no two choose the same row for their keys.
    const turn = this.#rssTurn.then(set);
    this.#rssTurn = turn.catch(() => undefined);
    const changes = await turn;
    if (request.dry_run !== true && changes.length > 0) {
      this.#requestLook(0);
      await this.#waiters.until(() => this.#isSpread(), RSS_DEADLINE_MS);
    }
    return { dry_run: request.dry_run === true, changes, rss: this.rssStatus() };
  }

  difference(desired: Desired): Omit<ReloadReply, 'schema'> {
    return differenceOf(this.#configured, desired);
  }

  async setDesired(desired: Desired): Promise<Omit<ReloadReply, 'schema'>> {
    const difference = this.difference(desired);
    this.#configured = desired;
    await this.#resolve();
    this.#report.event('config', null, null, 'the configuration was replaced', {
      added: difference.added.length,
      removed: difference.removed.length,
    });
    this.#requestLook(0);
    await this.#waiters.until(() => this.#isSettled(), RELOAD_DEADLINE_MS);
    return difference;
  }

  recentEvents(): readonly MonitorEvent[] {
    return this.#report.recent;
  }

  onEvent(listener: (event: MonitorEvent) => void): () => void {
    return this.#report.onEvent(listener);
  }

  onLook(listener: (look: LookReport) => void): () => void {
    this.#lookListeners.add(listener);
    return () => void this.#lookListeners.delete(listener);
  }

  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#unsubscribe = [
      this.#hands.dataPlane.onEvent((event) => this.#dataPlaneEvent(event)),
      this.#hands.host.onChange(() => this.#linksChanged()),
      this.#hands.hypervisor.onEvent((event) => this.#hypervisorEvent(event)),
    ];
    this.#requestLook(0);
    await this.#waiters.until(() => this.#quiet || !this.#running, START_DEADLINE_MS);
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#alarm.cancel();
    this.#asking.stop();
    this.#waiters.wake();
    await Promise.allSettled([...this.#busy.values()]);
  }

  async down(): Promise<Omit<DownReply, 'schema'>> {
    this.#undone ??= [];
    this.#configured = { ...this.#configured, adapters: [], vnics: [], discover: null };
    this.#desired = this.#configured;
    this.#report.event('config', null, null, 'everything is being undone');
    for (const key of this.#tenants.keys()) this.#dispatch(key, { kind: 'retry-now' });
    if (!this.#running) void this.start();
    this.#requestLook(0);
    const isDown = await this.#waiters.until(() => this.#quiet && this.#tenants.size === 0, this.#timing.downMs);
    if (!isDown) throw new NotUndoneError([...this.#tenants.values()].map((tenant) => this.#leftOf(tenant)));
    await this.stop();
    this.#hands.dataPlane.remove();
    this.#quarantines.releaseAll();
    return { undone: [...this.#undone, 'remove every program and pin'] };
  }

  /** Something is not as it was, and nobody tells of it. */
  lookAgain(): void {
    this.#requestLook(0);
  }

  // --- Looking ---

  #requestLook(delayMs: number): void {
    this.#quiet = false;
    this.#askedSinceLook = true;
    this.#askedAtMs ??= this.#clock.nowMs();
    this.#lookBy(this.#clock.nowMs() + delayMs);
  }

  #lookBy(atMs: number): void {
    this.#lookAtMs = this.#lookAtMs === null ? atMs : Math.min(this.#lookAtMs, atMs);
    this.#arm();
  }

  /** One timer for the next look and for the next moment that a tenant waits for. */
  #arm(): void {
    if (!this.#running) return this.#alarm.cancel();
    const wakeMs = earliestWake(this.#tenants.values(), new Set(this.#busy.keys()), this.#clock.nowMs());
    this.#alarm.set([wakeMs, this.#looking ? null : this.#lookAtMs]);
  }

  /** `armedAtMs`: what fell due after that has not been answered yet. */
  #alarmRang(armedAtMs: number): void {
    const nowMs = this.#clock.nowMs();
    const busy = new Set(this.#busy.keys());
    for (const tenant of [...this.#tenants.values()]) {
      const wakeMs = earliestWake([tenant], busy, armedAtMs);
      if (wakeMs !== null && wakeMs <= nowMs) this.#dispatch(tenant.key, { kind: 'tick' });
    }
    if (!this.#looking && this.#lookAtMs !== null && this.#lookAtMs <= nowMs) void this.#look();
    else this.#arm();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    this.#lookAtMs = null;
    this.#askedSinceLook = false;
    const startMs = this.#clock.nowMs();
    let nothingToDo = false;
    try {
      nothingToDo = await this.#reconcile();
      this.#error = null;
      this.#lastLookMs = this.#clock.nowMs();
      this.#lookBy(this.#clock.nowMs() + PERIOD_MS);
    } catch (error) {
      this.#error = messageOf(error);
      this.#report.warn('reconcile', `looking at the host failed: ${this.#error}`);
      this.#lookBy(this.#clock.nowMs() + AFTER_ERROR_MS);
    } finally {
      this.#looking = false;
      this.#quiet = nothingToDo && this.#busy.size === 0 && !this.#askedSinceLook;
      this.#tellLook(startMs);
      this.#arm();
      this.#waiters.wake();
    }
  }

  /** One look and what it leads to; true when it leads to nothing. */
  async #reconcile(): Promise<boolean> {
    const look = ++this.#looks;
    const links = await this.#hands.host.links();
    // A configuration that comes while this looks is the next look's.
    const desired = await this.#resolve(links);
    this.#rescue(links);
    const view = await this.#observer.look(links, desired, [...this.#tenants.values()]);
    if (!this.#running) return true;
    const adaptersQuiet = await this.#keepAdapters(desired, view);
    const rssQuiet = await this.#keepRss(desired, view);
    const observed = this.#observer.complete(view);
    const busy = new Set(this.#busy.keys());
    for (const [key, touched] of this.#touched) {
      if (touched >= look) busy.add(key);
      else this.#touched.delete(key);
    }
    if (!this.#running) return true;
    this.#tellLinkEvents(desired, observed);
    this.#observed = observed;
    const result = plan({
      desired,
      observed,
      tenants: [...this.#tenants.values()],
      adapterTroubles: this.#adapterTroubles,
      busy,
      quarantines: this.#quarantines.all,
      nowMs: this.#clock.nowMs(),
      timing: this.#timing,
    });
    this.#accept(result);
    if (result.freed) this.#requestLook(0);
    this.#askForPlugins(observed);
    if (result.sweep !== null) await this.#sweep(result.sweep);
    return adaptersQuiet && rssQuiet && busy.size === 0 && result.vnics.length === 0 && result.sweep === null && !result.freed;
  }

  /** What is asked for, now that it is known where virtual machines and their taps are. */
  async #resolve(links: Links | null = null): Promise<Desired> {
    const seen = links ?? this.#observed?.links ?? (await this.#hands.host.links());
    const found = await this.#hands.hypervisor.found();
    const { desired, taps } = resolve(this.#configured, found, seen, this.#taps);
    this.#taps = taps;
    this.#desired = desired;
    return desired;
  }

  /** Guests of which it is not known otherwise how they use a VF; the answer comes as an event. */
  #askForPlugins(observed: Observed): void {
    this.#plugins.keepOnly(observed.guests);
    for (const tenant of this.#tenants.values()) {
      const ifindex = pluginQuestionPort(tenant, observed);
      if (ifindex === null) continue;
      try {
        this.#hands.host.sendFrame(ifindex, resumeFrame(tenant.spec.mac, this.#looks));
      } catch {
        // The tap is gone or full; the next look is due soon.
      }
    }
  }

  /** A plug-in that answers is there, and whatever stood in the guest's way for want of it does not any more. */
  #pluginAnswered(tenant: Tenant): void {
    const { spec } = tenant;
    const asked = this.#observed !== null && pluginQuestionPort(tenant, this.#observed) !== null;
    if (!asked || !this.#plugins.heard(guestName(spec.guest))) return;
    this.#report.event('guest', spec.name, spec.adapter, `the plug-in answers in the guest of ${spec.name}`, { mode: 'plugin' });
    this.#requestLook(0);
  }

  #accept(result: Plan): void {
    const kept = new Set(result.tenants.map((tenant) => tenant.key));
    for (const [key, tenant] of this.#tenants) {
      if (kept.has(key)) continue;
      this.#tenants.delete(key);
      this.#asking.set(key, null);
      // Somebody may have been waiting for what it had.
      this.#requestLook(0);
      this.#report.event('config', tenant.spec.name, tenant.spec.adapter, `${tenant.spec.name} was taken down`);
    }
    // In the plan's order: who comes first is served first.
    const states = new Map(this.#tenants);
    this.#tenants = new Map(result.tenants.map((tenant) => [tenant.key, states.get(tenant.key) ?? tenant]));
    for (const tenant of result.tenants) this.#setTenant(tenant, states.has(tenant.key));
    for (const { key, message } of result.warnings) this.#warnOf(key, message);
    for (const { key, sequence } of result.vnics) this.#start(key, sequence);
  }

  /** Uplinks come before the vNICs that need them. True when there was nothing to do. */
  async #keepAdapters(desired: Desired, view: HostView): Promise<boolean> {
    let quiet = true;
    for (const name of this.#adapterTroubles.keys()) {
      if (!desired.adapters.some((adapter) => adapter.name === name)) this.#adapterTroubles.delete(name);
    }
    for (const adapter of desired.adapters) {
      const trouble = this.#adapterTroubles.get(adapter.name) ?? null;
      const sequence = planAdapter(adapter, this.#desired, this.#observer.complete(view));
      if (sequence === null) {
        this.#adapterTroubles.delete(adapter.name);
        continue;
      }
      if (!mayTry(trouble, this.#clock.nowMs())) continue;
      try {
        await this.#executor.run(sequence, null);
        this.#adapterTroubles.delete(adapter.name);
        quiet = false;
      } catch (error) {
        const failure = failureOf(error);
        this.#adapterTroubles.set(adapter.name, addFailure(trouble, failure, this.#clock.nowMs(), this.#timing));
        this.#report.warn(`adapter ${adapter.name}`, failure.message, null, adapter.name);
      }
    }
    return quiet;
  }

  /** The RSS key is of all vNICs. True when there was nothing to do. */
  async #keepRss(desired: Desired, view: HostView): Promise<boolean> {
    const { nicKey } = view;
    if (nicKey !== null && 'problem' in nicKey) this.#report.warn('rss', `the RSS key stays as it is: ${nicKey.problem}`);
    const sequence = planRss(desired.rss, this.#observer.complete(view), this.#randomKey, this.#claimedKeyRows());
    if (sequence === null) return true;
    try {
      await this.#executor.run(sequence, null);
      return false;
    } catch (error) {
      this.#report.warn('rss', messageOf(error));
      return true;
    }
  }

  #linksChanged(): void {
    this.#requestLook(LINK_DEBOUNCE_MS);
    if (!this.#looking || this.#glancing) return;
    this.#glancing = true;
    this.#clock.after(LINK_DEBOUNCE_MS, () => void this.#glance());
  }

  /** A look that is under way may wait for a slow guest; a dead VF cannot wait for the look after it. */
  async #glance(): Promise<void> {
    this.#glancing = false;
    if (!this.#running) return;
    try {
      // What the look under way has seen of these is old.
      for (const key of this.#rescue(await this.#hands.host.links())) this.#touched.set(key, this.#looks);
    } catch (error) {
      this.#report.warn('glance', messageOf(error));
    }
  }

  /**
   * Links that are bad make the VFs behind them useless: told to the packet programs before anything else is looked at.
   * Returns whom it concerned.
   */
  #rescue(links: Links): string[] {
    const rescued: string[] = [];
    for (const { key, action } of planRescue(this.#tenants.values(), links, this.#timing)) {
      const { path, vfAllowed, hold } = this.#pathOf(this.#tenants.get(key));
      if (path === 'software' && !vfAllowed) continue;
      if (action.kind === 'hold' && hold !== 'none') continue;
      rescued.push(key);
      this.#executor
        .run({ purpose: 'effect', actions: [action], onFailure: 'stop' }, key)
        .catch((error: unknown) => this.#warnOf(key, messageOf(error)));
    }
    return rescued;
  }

  async #sweep(sequence: Sequence): Promise<void> {
    try {
      await this.#executor.run(sequence, null);
    } catch (error) {
      this.#report.warn('sweep', messageOf(error));
    }
    this.#requestLook(AFTER_SWEEP_MS);
  }

  // --- Doing ---

  /** Does a sequence for a tenant, after those that are being done for it. */
  #start(key: string, sequence: Sequence): void {
    this.#quiet = false;
    const earlier = this.#busy.get(key);
    const run = earlier === undefined ? this.#perform(key, sequence) : earlier.then(() => this.#perform(key, sequence));
    const end = run.then((outcome) => {
      if (this.#busy.get(key) === end) this.#busy.delete(key);
      if (sequence.purpose !== 'effect') {
        this.#touched.set(key, this.#looks);
        this.#requestLook(0);
      }
      this.#dispatch(key, outcome);
    });
    this.#busy.set(key, end);
  }

  async #perform(key: string, sequence: Sequence): Promise<VnicEvent> {
    try {
      await this.#executor.run(sequence, key);
      return { kind: 'step-done', did: kindOf(sequence) };
    } catch (error) {
      const failure = failureOf(error);
      this.#warnOf(key, failure.message);
      return { kind: 'step-failed', did: kindOf(sequence), ...failure };
    }
  }

  #dispatch(key: string, event: VnicEvent): void {
    const tenant = this.#tenants.get(key);
    if (tenant !== undefined && this.#observed !== null) {
      const step = stepTenant(tenant, event, this.#observed, this.#clock.nowMs(), this.#timing);
      this.#setTenant(step.tenant);
      // A look that is under way has seen it as it was before.
      if (this.#looking && step.tenant.state.stage !== tenant.state.stage) {
        this.#touched.set(key, this.#looks);
        this.#requestLook(0);
      }
      for (const effect of step.effects) {
        if (effect.kind === 'warn') this.#warnOf(key, effect.message);
        if (effect.kind === 'look-again') this.#requestLook(0);
      }
      if (step.actions.length > 0) this.#start(key, { purpose: 'effect', actions: step.actions, onFailure: 'stop' });
    }
    this.#arm();
    this.#waiters.wake();
  }

  #dataPlaneEvent(event: DataPlaneEvent): void {
    const tenant = [...this.#tenants.values()].find((candidate) => candidate.id === event.vnic);
    if (tenant === undefined) return;
    if (event.kind === 'control') {
      if (event.command === 'resumed') this.#pluginAnswered(tenant);
      if (event.command === 'drained') this.#dispatch(tenant.key, { kind: 'drained', sequence: event.sequence });
      return;
    }
    if (event.kind === 'heard') {
      this.#dispatch(tenant.key, { kind: 'heard', path: event.path });
      return;
    }
    const { name, adapter } = tenant.spec;
    const fields = { path: event.path, generation: event.generation, by: 'guest' };
    this.#report.event('path', name, adapter, `the guest moved ${name} to the ${event.path} path`, fields);
    this.#dispatch(tenant.key, { kind: 'path-changed', path: event.path });
  }

  #hypervisorEvent(event: HypervisorEvent): void {
    if (event.kind === 'changed') {
      this.#requestLook(0);
      return;
    }
    if (event.kind === 'migration') {
      const { vm, direction, status } = event;
      this.#report.event('guest', null, null, `${direction} migration of ${vm}: ${status}`, { vm, direction, migration: status });
      return;
    }
    for (const tenant of [...this.#tenants.values()]) {
      const { guest } = tenant.spec;
      const concerned = event.kind === 'ejected' ? claimedVf(tenant.state)?.port === event.port : guest.kind === 'vm' && guest.vm === event.vm;
      if (!concerned) continue;
      if (event.kind === 'reset') this.#plugins.forget(guestName(guest));
      else this.#dispatch(tenant.key, { kind: event.kind });
    }
    this.#requestLook(0);
  }

  /** A wish is in the maps as soon as it is uttered, whatever is being done for the vNIC just now. */
  #keepWish(key: string, id: number | null, path: VnicPath | null): void {
    const before = id === null ? undefined : this.#hands.dataPlane.vnics().get(id);
    if (id === null || before === undefined) return;
    const action: Action = { kind: 'write-vnic', vnic: id, row: { ...before, operatorWant: path }, before };
    this.#start(key, { purpose: 'effect', actions: [action], onFailure: 'stop' });
  }

  /** What is changed by it; done unless it is a dry run. @throws RssRefusedError */
  async #setHostRss(request: RssRequest, observed: Observed): Promise<RssChange[]> {
    const [adapter] = this.#desired.adapters;
    const key = await this.#keyAfter(request, adapter, observed);
    const now = this.#withMaps(observed);
    const tenants = this.#present();
    const wish = hostWishAfter(now.rss.wish, request, mostQueues(tenants, now));
    const changes: RssChange[] = changesBy(tenants, (tenant) => tenant.rssWish, wish, this.#desired, now);
    const host = (what: string): void => void changes.unshift({ vnic: null, device: null, what, buckets_moved: 0 });
    if (JSON.stringify(wish) !== JSON.stringify(now.rss.wish)) host(`the operator's settings for all vNICs ${keptOr(wish)}`);
    if (key !== null) host(`the RSS key becomes ${key.key}`);
    else if (wish.keyByOperator !== now.rss.wish.keyByOperator) host('the RSS key becomes what the configuration says');
    if (request.dry_run === true || changes.length === 0) return changes;
    const sequence = (): Sequence | null => {
      const fresh = this.#withMaps(observed);
      if (key !== null) return planKeyChange(key, wish, fresh, this.#claimedKeyRows());
      return { purpose: 'rss', actions: [{ kind: 'write-host-rss-wish', wish, before: fresh.rss.wish }], onFailure: 'undo' };
    };
    // A row that an earlier change has not quite left yet is left soon.
    await this.#waiters.until(() => sequence() !== null, RSS_DEADLINE_MS);
    const planned = sequence();
    if (planned === null) throw new RssRefusedError(NO_KEY_ROW);
    await this.#executor.run(planned, null);
    return changes;
  }

  /** The same for one vNIC. @throws RssRefusedError */
  async #setVnicRss(tenant: Tenant, request: RssRequest, observed: Observed): Promise<RssChange[]> {
    const key = await this.#keyAfter(request, tenant.adapter, observed);
    const now = this.#withMaps(observed);
    const like = wishAfter(tenant.rssWish, request, mostQueues([tenant], now));
    const found = key === null ? null : rowForKey(key.key, now, this.#claimedKeyRows());
    if (key !== null && found === null) throw new RssRefusedError(NO_KEY_ROW);
    // The host's own key goes on being the host's.
    const wish: VnicRssWish = found === null ? like : { ...like, keyRow: found.row === now.rss.wish.keyRow ? null : found.row };
    const changes = changesBy([tenant], () => wish, now.rss.wish, this.#desired, now);
    if (JSON.stringify(wish) !== JSON.stringify(tenant.rssWish)) {
      const what = `the operator's settings for it ${keptOr(wish, wish.keyRow)}`;
      changes.unshift({ vnic: tenant.spec.name, device: null, what, buckets_moved: 0 });
    }
    const keyAfterwards = key?.key ?? keyOf(wish, now.rss);
    if (keyAfterwards !== keyOf(tenant.rssWish, now.rss)) {
      const whose = wish.keyRow === null ? ' (that of the host)' : '';
      changes.unshift({ vnic: tenant.spec.name, device: null, what: `its RSS key becomes ${keyAfterwards}${whose}`, buckets_moved: 0 });
    }
    if (request.dry_run === true || changes.length === 0) return changes;
    // It is claimed before it is written, and written before anybody names it.
    this.#claimedKeyRow = found?.row ?? null;
    try {
      if (key !== null && found !== null) await this.#executor.run({ purpose: 'rss', actions: writeKey(found, key.key, now), onFailure: 'stop' }, null);
      const current = this.#tenants.get(tenant.key) ?? tenant;
      this.#setTenant({ ...current, rssWish: wish });
      this.#keepRssWish(current, wish);
    } finally {
      this.#claimedKeyRow = null;
    }
    return changes;
  }

  async #keyAfter(request: RssRequest, adapter: AdapterSpec | undefined, observed: Observed): Promise<KeyChoice | null> {
    const nicKey = request.key === 'nic' && adapter !== undefined ? await this.#observer.nicKey(adapter.uplink, observed.links) : null;
    return keyAfter(request, nicKey, this.#randomKey);
  }

  /** Rows of RSS keys that are somebody's, whether the maps tell it yet or not. */
  #claimedKeyRows(): number[] {
    const own = [...this.#tenants.values()].map(({ rssWish }) => rssWish.keyRow);
    return [...own, this.#claimedKeyRow].filter((row) => row !== null);
  }

  /** In the maps as soon as it is uttered, as the wish for a path. */
  #keepRssWish({ key, id }: Tenant, wish: VnicRssWish): void {
    if (id === null || !this.#hands.dataPlane.vnics().has(id)) return;
    const action: Action = { kind: 'write-rss-wish', vnic: id, wish, before: this.#hands.dataPlane.rssWish(id) };
    this.#start(key, { purpose: 'effect', actions: [action], onFailure: 'stop' });
  }

  // --- Telling ---

  #setTenant(tenant: Tenant, known = true): void {
    const before = known ? (this.#tenants.get(tenant.key) ?? null) : null;
    this.#tenants.set(tenant.key, tenant);
    this.#ask(tenant);
    const othersWork = (port: string): boolean =>
      [...this.#tenants.values()].some(({ adapter, state: { stage } }) => {
        return adapter.name === tenant.adapter.name && stage.phase === 'accelerated' && stage.vf.port !== port;
      });
    const failed = this.#quarantines.follow(before, tenant, this.#clock.nowMs(), this.#timing.stableMs, othersWork);
    if (failed !== null) this.#putInQuarantine(failed.port, failed.reason, 'unipath', tenant.spec.adapter);
    for (const { kind, message, fields } of tenantEvents(before, tenant, this.#pathOf(tenant).path)) {
      this.#report.event(kind, tenant.spec.name, tenant.spec.adapter, message, fields);
    }
  }

  #putInQuarantine(port: string, reason: string, by: 'unipath' | 'operator', adapter: string): void {
    this.#quarantines.put(port, { reason, by });
    this.#report.event('vf', null, adapter, `VF ${port} is in quarantine: ${reason}`, { vf: port, by });
    this.#requestLook(0);
  }

  /** A guest that hears on one path only is asked whether it hears. */
  #ask(tenant: Tenant): void {
    const { spec, id, state } = tenant;
    const tap = this.#observed?.links.get(spec.tap)?.ifindex;
    const wanted = asked(state, this.#timing);
    const vf = claimedVf(state);
    if (wanted === null || id === null) return this.#asking.set(tenant.key, null);
    const addresses = this.#hands.dataPlane.seenAddresses(id);
    const frames = (role: PortRole): readonly Buffer[] =>
      role === 'vf' && vf !== null && isPassedThrough(vf)
        ? questions(spec.mac, addresses, PARKING_VLAN, questionMac(id))
        : questions(spec.mac, addresses, spec.access ? 0 : (spec.vlans[0] ?? 0));
    const to = wanted.ports.flatMap((role) => {
      const ifindex = role === 'vf' ? vf?.ifindex : tap;
      return ifindex === undefined ? [] : [{ ifindex, frames: frames(role) }];
    });
    this.#asking.set(tenant.key, to.length === 0 ? null : { to, intervalMs: wanted.intervalMs });
  }

  #released(owner: string | null, path: VnicPath, report: HoldReport): void {
    const spec = owner === null ? null : (this.#tenants.get(owner)?.spec ?? null);
    const { delivered, stale, lost, longestMs } = report;
    const waited = `${delivered} frames had waited${delivered === 0 ? '' : `, the first for ${longestMs.toFixed(0)} ms`}`;
    const trouble = stale + lost === 0 ? '' : `; ${stale} were too old, ${lost} were not taken by the port`;
    const fields = { path, delivered, stale, lost, waited_ms: Math.round(longestMs) };
    this.#report.event('hold', spec?.name ?? null, spec?.adapter ?? null, `${spec?.name ?? owner} hears by the ${path} path: ${waited}${trouble}`, fields);
  }

  #tellLook(startMs: number): void {
    const nowMs = this.#clock.nowMs();
    const settledMs = this.#quiet && this.#askedAtMs !== null ? nowMs - this.#askedAtMs : null;
    if (this.#quiet) this.#askedAtMs = null;
    for (const listener of this.#lookListeners) listener({ failed: this.#error !== null, durationMs: nowMs - startMs, settledMs });
  }

  #tellLinkEvents(desired: Desired, observed: Observed): void {
    if (this.#observed === null) return;
    for (const { device, adapter, message } of linkEvents(desired, this.#observed.links, observed.links)) {
      this.#report.event('link', null, adapter, message, { device });
    }
  }

  #actionBegins(action: Action): void {
    this.#observer.forget();
    if (action.kind === 'go-software') this.#pathBefore = this.#hands.dataPlane.path(action.vnic).path;
  }

  #actionDone(action: Action, owner: string | null): void {
    this.#observer.forget();
    // It is said once that a guest is asked, however often it is.
    if (action.kind === 'send-drain' && action.again) return;
    const what = describeAction(action);
    this.#undone?.push(what);
    const spec = owner === null ? null : (this.#tenants.get(owner)?.spec ?? null);
    this.#report.event('action', spec?.name ?? null, spec?.adapter ?? null, what, { action: action.kind });
    if (action.kind !== 'go-software' || this.#pathBefore === 'software' || spec === null) return;
    const { path, generation } = this.#hands.dataPlane.path(action.vnic);
    this.#report.event('path', spec.name, spec.adapter, `${spec.name} was put on the software path`, { path, generation, by: 'host' });
  }

  #warnOf(key: string, message: string): void {
    const tenant = this.#tenants.get(key);
    this.#report.warn(tenant?.spec.name ?? key, message, tenant?.spec.name ?? null, tenant?.spec.adapter ?? null);
  }

  // --- Answering ---

  /** @throws UnknownNameError for one that is not configured */
  async #known(name: string): Promise<Tenant> {
    const names = this.#desired.vnics.map((vnic) => vnic.name);
    if (!names.includes(name)) throw new UnknownNameError(name, names);
    await this.#waiters.until(() => this.#named(name) !== null, START_DEADLINE_MS);
    const tenant = this.#named(name);
    if (tenant === null) throw new UnknownNameError(name, []);
    return tenant;
  }

  /** Those that are asked for. */
  #present(): Tenant[] {
    return [...this.#tenants.values()].filter((tenant) => !tenant.removed);
  }

  /** null: nothing has been seen yet. */
  #poolView(): PoolView | null {
    if (this.#observed === null) return null;
    const tenants = [...this.#tenants.values()];
    return { desired: this.#desired, observed: this.#observed, tenants, quarantines: this.#quarantines.all, nowMs: this.#clock.nowMs() };
  }

  /** What was seen, with what the maps say now. */
  #withMaps(observed: Observed): Observed {
    return this.#observer.complete({ ...observed, nicKey: observed.rss.nicKey });
  }

  #isSpread(): boolean {
    return this.#observed !== null && isSpreadAsWanted(this.#desired, this.#present(), this.#withMaps(this.#observed));
  }

  #named(name: string): Tenant | null {
    return [...this.#tenants.values()].find((tenant) => tenant.spec.name === name && !tenant.removed) ?? null;
  }

  /** One on its way out is not shown when its name is somebody else's again. */
  #isShadowed(tenant: Tenant): boolean {
    return tenant.removed && this.#named(tenant.spec.name) !== null;
  }

  #pathOf(tenant: Tenant | undefined): PathState {
    return tenant === undefined || tenant.id === null ? NO_PATH : this.#hands.dataPlane.path(tenant.id);
  }

  #statusOf(tenant: Tenant, observed = this.#observed): VnicStatus {
    return vnicStatus(tenant, observed, this.#pathOf(tenant), this.#clock.nowMs());
  }

  #hasReached(name: string): boolean {
    const tenant = this.#named(name);
    if (tenant === null) return false;
    const { path } = this.#pathOf(tenant);
    const phase = phaseOf(tenant.state);
    if (wantedPath(tenant) === 'accelerated') return path === 'accelerated' && phase === 'accelerated';
    return path === 'software' && (phase === 'software' || phase === 'absent');
  }

  /** Nothing to do, and nobody half-way between two paths. */
  #isSettled(): boolean {
    const moving = [...this.#tenants.values()].some((tenant) => tenant.removed || phaseOf(tenant.state) === 'draining');
    return this.#quiet && !moving;
  }

  #leftOf(tenant: Tenant): string {
    const { phase, reason_text } = this.#statusOf(tenant);
    return `vNIC ${tenant.spec.name} is ${phase}: ${reason_text}`;
  }
}

function keptOr({ hashTypes, weights }: RssWish, ownKeyRow: number | null = null): string {
  return hashTypes === null && weights === null && ownKeyRow === null ? 'hold no more' : 'hold until they are reset';
}

/** What the state machine has to know of a sequence that ends while others may have begun. */
function kindOf({ purpose, actions }: Sequence): StepKind {
  if (purpose !== 'effect') return 'other';
  const kinds = new Set(actions.map(({ kind }) => kind));
  return kinds.has('hold') ? 'hold' : kinds.has('release') ? 'release' : kinds.has('eject-vf') ? 'eject' : 'other';
}

function failureOf(error: unknown): { readonly reason: NotAcceleratedReason; readonly message: string } {
  return { reason: error instanceof StepError ? error.reason : 'internal_error', message: messageOf(error) };
}
