#!/usr/bin/env node
/**
 * unipathd: wires configuration, data plane, host, hypervisor, reconciler, control socket and metrics. The only file that
 * knows them all. Ending it - by a signal or by a crash - leaves the data plane as it is; only `unipath down` undoes it.
 */
import { resolve } from 'node:path';
import { CommanderError } from 'commander';
import { pino } from 'pino';
import { explainRequest } from './capture/explain_request.js';
import { fileFormOf } from './config/file_form.js';
import { type Config, loadConfig } from './config/load.js';
import { countersOf } from './control/counters.js';
import { FlowControl } from './control/flow_control.js';
import type { ReloadReply } from './control/protocol.js';
import { ControlServer, type ControlTarget } from './control/server.js';
import { patientTiming } from './core/backoff.js';
import { openDataPlane } from './dataplane/dataplane.js';
import { openSite } from './dataplane/site.js';
import { whyUnfit } from './host/machine.js';
import { LinuxHostNetwork } from './host/network.js';
import { Hypervisors } from './hypervisor/hypervisors.js';
import { LibvirtSource } from './hypervisor/libvirt/libvirt_source.js';
import type { MachineSource } from './hypervisor/machine_source.js';
import { MachineHypervisor } from './hypervisor/machines.js';
import { NetnsHypervisor } from './hypervisor/netns.js';
import { VmControl } from './hypervisor/vm_control.js';
import { QmpSource } from './hypervisor/qemu/qmp_source.js';
import { listenForScrapes, type MetricsListener } from './metrics/listener.js';
import { Metrics } from './metrics/registry.js';
import { ensureBpffs } from './native/bpffs.js';
import { onlineCpus } from './native/cpus.js';
import { boundObjectPath, hostObjectPath } from './paths.js';
import { systemClock } from './reconcile/clock.js';
import { QuarantineFile } from './reconcile/quarantine_file.js';
import { Reconciler } from './reconcile/reconciler.js';
import { Repeats } from './reconcile/repeats.js';
import { daemonCommand } from './service/arguments.js';
import { journalOfService } from './service/journal.js';
import { ServiceNotifier } from './service/notifier.js';
import { LinuxAdapters } from './sriov/adapters.js';
import { version } from './version.js';

/** Steps that are under way are let finish; one that hangs must not keep a signal from ending us. */
const END_DEADLINE_MS = 15_000;
const USAGE_EXIT = 2;

const journal = journalOfService();
const log = pino({ base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, journal ?? pino.destination(1));
const repeats = new Repeats(systemClock);

/** What may be the same at every look, scrape or request. */
function warn(message: string, fields: object = {}): void {
  const suppressed = repeats.of(message);
  if (suppressed !== null) log.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message);
}

/** The log is for machines; whoever starts the daemon by hand reads standard error. */
function fail(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  log.fatal({ err: error instanceof Error ? error : undefined }, message);
  if (journal === null) process.stderr.write(`unipathd: ${message}\n`);
  process.exit(1);
}

/** What must be right before anything is changed. */
async function readyToStart(configFile: string): Promise<Config> {
  const unfit = await whyUnfit();
  if (unfit !== null) throw new Error(unfit);
  const config = await loadConfig(configFile);
  ensureBpffs(config.settings.pins);
  return config;
}

interface ReloadableConfig {
  /** What is in force. */
  current(): Config;
  reload(dryRun: boolean): Promise<Omit<ReloadReply, 'schema'>>;
}

/** Reads the file again; one after the other. Settings, other than adapters, vNICs, discovery and RSS, hold until the next start. */
function reloadable(
  configFile: string,
  { settings, desired }: Config,
  controller: Reconciler,
  metrics: Metrics,
  manager: ServiceNotifier,
): ReloadableConfig {
  let last: Promise<unknown> = Promise.resolve();
  let current = desired;
  const reload = async (dryRun: boolean): Promise<Omit<ReloadReply, 'schema'>> => {
    if (dryRun) return controller.difference((await loadConfig(configFile)).desired);
    manager.reloading();
    try {
      const config = await loadConfig(configFile);
      if (JSON.stringify(config.settings) !== JSON.stringify(settings)) {
        log.warn('only adapters, vnics, discover and rss are read again; the other settings take effect with the next start');
      }
      current = config.desired;
      const difference = await controller.setDesired(config.desired);
      log.info(difference, 'configuration read again');
      metrics.configReloaded(true);
      return difference;
    } catch (error) {
      log.error({ err: error }, 'the configuration could not be read again; the old one stays');
      metrics.configReloaded(false);
      throw error;
    } finally {
      manager.reloaded();
    }
  };
  return {
    current: () => ({ settings, desired: current }),
    reload(dryRun) {
      const result = last.then(() => reload(dryRun));
      last = result.catch(() => undefined);
      return result;
    },
  };
}

const closeAll = async (sockets: readonly ControlServer[]): Promise<void> => void (await Promise.all(sockets.map((socket) => socket.close())));

/** The one for everything, and the one for reading where there is to be one. */
async function controlSockets({ settings: { socket, readSocket } }: Config): Promise<readonly ControlServer[]> {
  const failed = (error: Error, url: string): void => warn(`a request failed: ${error.message}`, { url, stack: error.stack });
  const control = await ControlServer.listen(socket, null, failed);
  if (readSocket === null) return [control];
  try {
    return [control, await ControlServer.listen(readSocket, null, failed, 'read')];
  } catch (error) {
    await control.close();
    throw error;
  }
}

/** The port is taken before the data plane is touched, so that one in use stops the start; there is something to read a little later. */
async function scrapeListener({ settings }: Config, metrics: () => Metrics | null): Promise<MetricsListener | null> {
  if (settings.metricsListen === null) return null;
  const render = async (): Promise<readonly Buffer[]> => (await metrics()?.render()) ?? [];
  return listenForScrapes({ contentType: Metrics.contentType, render }, settings.metricsListen.host, settings.metricsListen.port);
}

/** Who runs virtual machines here, as the configuration names them. */
function machineSources(hypervisors: Config['settings']['hypervisors']): MachineSource[] {
  const patterns = hypervisors.flatMap((one) => (one.kind === 'qmp' ? [one.qmp] : []));
  const owners = hypervisors.flatMap((one) => (one.kind === 'libvirt' ? [new LibvirtSource({ uri: one.libvirt, warn })] : []));
  return patterns.length === 0 ? owners : [new QmpSource(patterns, warn), ...owners];
}

async function start(config: Config, configFile: string, sockets: readonly ControlServer[], manager: ServiceNotifier): Promise<void> {
  const { settings, desired } = config;
  let scraped: Metrics | null = null;
  const listener = await scrapeListener(config, () => scraped);
  const dataPlane = await openDataPlane({
    objectPath: hostObjectPath,
    boundObjectPath,
    pinsRoot: settings.pins,
    flowsPerVnic: settings.flowsPerVnic,
    rssKey: /^[0-9a-f]+$/.test(desired.rss.key) ? Buffer.from(desired.rss.key, 'hex') : 'random',
    xdpMode: settings.xdpMode,
    warn,
  });
  log.info({ adopted: dataPlane.adopted }, dataPlane.adopted ? 'took over the pinned programs' : 'loaded the programs');

  const host = new LinuxHostNetwork(warn, settings.xdpMode === 'generic' ? 'generic' : 'native');
  const timing = patientTiming(settings.patience);
  const machines = new MachineHypervisor(machineSources(settings.hypervisors), timing);
  const hypervisor = new Hypervisors(new NetnsHypervisor(() => host.links()), machines);
  await machines.start();
  const quarantines = new QuarantineFile(settings.socket, (message) => log.warn(message));
  const adapters = new LinuxAdapters(settings.state);
  const controller = new Reconciler({ desired, dataPlane, host, hypervisor, adapters, timing, cpus: onlineCpus, log, quarantines });
  const vms = new VmControl({ machines, vnics: () => controller.vnicStatus(), changed: () => controller.lookAgain(), partingMs: timing.partingMs });
  const metrics = new Metrics({
    version,
    controller,
    dataPlane,
    statistics: () => host.statistics(),
    vms: () => vms.status(),
    failed: (collector, error) => warn(`the metrics of ${collector} could not be collected: ${error.message}`, { collector }),
  });
  scraped = metrics;
  const configuration = reloadable(configFile, config, controller, metrics, manager);

  let ending = false;
  const end = (why: string): void => {
    if (ending) return;
    ending = true;
    manager.stopping();
    log.info({ why }, 'ending; what is pinned stays as it is');
    setTimeout(() => fail(`could not end within ${END_DEADLINE_MS} ms`), END_DEADLINE_MS).unref();
    const letGo = async (): Promise<void> => {
      await controller.stop();
      await closeAll(sockets);
      await listener?.close();
      machines.close();
      host.close();
      dataPlane.close();
    };
    letGo().then(() => process.exit(0), fail);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(signal));
  // What went wrong is in the log by then.
  process.on('SIGHUP', () => void configuration.reload(false).catch(() => undefined));

  const target: ControlTarget = {
    controller,
    metrics,
    version,
    pins: settings.pins,
    configFile: resolve(configFile),
    adopted: dataPlane.adopted,
    counters: () => countersOf(dataPlane.tallies(), dataPlane.redirectErrors(), controller.vnicIds()),
    explain: async (request) => explainRequest(await openSite(settings.pins, controller.vnicIds(), process.pid), request),
    flows: new FlowControl(controller, dataPlane, settings.flowsPerVnic),
    vms,
    config: () => fileFormOf(configuration.current()),
    reload: (dryRun) => configuration.reload(dryRun),
    ended: () => end('everything was undone'),
  };
  for (const socket of sockets) socket.serve(target);
  await controller.start();
  // What happened while no unipathd ran is not late.
  metrics.follow(dataPlane);
  if (ending) return;
  log.info({ socket: settings.socket }, 'ready');
  manager.ready();
}

async function main(configFile: string): Promise<void> {
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  // Ignored until there is something to read again.
  process.on('SIGHUP', () => undefined);
  const config = await readyToStart(configFile);
  // The socket comes first: a second daemon on it stops here, before it touches the data plane.
  const sockets = await controlSockets(config);
  try {
    await start(config, configFile, sockets, new ServiceNotifier({ warn }));
  } catch (error) {
    await closeAll(sockets);
    throw error;
  }
}

try {
  main(daemonCommand().parse().opts<{ config: string }>().config).catch(fail);
} catch (error) {
  if (!(error instanceof CommanderError)) fail(error);
  process.exit(error.exitCode === 0 ? 0 : USAGE_EXIT);
}
