/** The data plane as a command sees it: where the daemon says it is, or where `--pins` says when there is no daemon. */
import { DaemonUnreachableError } from '../control/client.js';
import type { StatusReply } from '../control/protocol.js';
import { NoDataPlaneError, openSite, type Site } from '../dataplane/site.js';
import type { Context } from './context.js';
import { CliError, ExitCode } from './exit.js';

/** Option of every command that can do without the daemon. */
export const PINS_OPTION = [
  '--pins <path>',
  'folder of the programs in the BPF file system; needed only when unipathd does not run: then vNICs are named by MAC address',
] as const;

/** @throws CliError */
export async function siteOf(context: Context, pins: string | undefined): Promise<Site> {
  if (process.getuid?.() !== 0) throw new CliError('root is needed to look at the programs', 'not_root', 'run it with sudo');
  const status = await daemonStatus(context, pins);
  const names = new Map(status?.vnics.map(({ id, name }) => [id, name] as const) ?? []);
  try {
    return await openSite(pins ?? status?.pins ?? '', names, status?.pid ?? null);
  } catch (error) {
    if (!(error instanceof NoDataPlaneError)) throw error;
    throw new CliError(error.message, 'no_data_plane', 'start unipathd, or name the folder of its pins with --pins');
  }
}

/** Null only when `pins` is given: then the daemon is asked for names alone, and only if it is that one's. */
async function daemonStatus(context: Context, pins: string | undefined): Promise<StatusReply | null> {
  try {
    const status = await context.client().status();
    return pins === undefined || status.pins === pins ? status : null;
  } catch (error) {
    if (!(error instanceof DaemonUnreachableError)) throw error;
    if (pins !== undefined) return null;
    throw new CliError(error.message, 'unreachable', 'or name the folder of its pins with --pins', ExitCode.unreachable);
  }
}
