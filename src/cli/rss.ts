/** `unipath rss hash`: which bucket of the indirection table a flow falls into. Needs no daemon. */
import type { Command } from 'commander';
import ipaddr from 'ipaddr.js';
import { RETA_SIZE, RSS_KEY_SIZE } from '../core/limits.js';
import { rssInput2Tuple, rssInput4Tuple, toeplitzHash } from '../core/toeplitz.js';
import type { Context } from './context.js';
import { CliError, ExitCode } from './exit.js';
import { registerRssSettings } from './rss_settings.js';

/** The key of the published verification suite; a host's own is what `unipath rss show` says. */
const VERIFICATION_KEY = '6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa';

interface HashOptions {
  readonly sport?: string;
  readonly dport?: string;
  readonly key?: string;
}

export function registerRss(program: Command, context: (command: Command) => Context): void {
  const rss = program.command('rss').description('receive-side scaling');
  registerRssSettings(rss, context);
  rss
    .command('hash')
    .description('hash of a flow as a NIC computes it: with both ports over the 4-tuple, without over the addresses')
    .argument('<source>', 'IPv4 or IPv6 address')
    .argument('<destination>', 'of the same family')
    .option('--sport <number>', 'source port')
    .option('--dport <number>', 'destination port')
    .option('--key <hex>', `${RSS_KEY_SIZE} bytes; default: the key of the published test vectors`)
    .action((source: string, destination: string, options: HashOptions, command: Command) =>
      hash(context(command), source, destination, options),
    );
}

const usage = (message: string): CliError => new CliError(message, 'usage', null, ExitCode.usage);

function addressBytes(text: string): Uint8Array {
  if (!ipaddr.isValid(text) || (ipaddr.IPv4.isValid(text) && !ipaddr.IPv4.isValidFourPartDecimal(text)))
    throw usage(`${text}: not an IPv4 or IPv6 address`);
  return Uint8Array.from(ipaddr.parse(text).toByteArray());
}

function port(text: string, option: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535) throw usage(`${option} ${text}: not a port number`);
  return Number(text);
}

function keyBytes(text: string): Buffer {
  const digits = text.replaceAll(':', '');
  if (!/^[0-9a-fA-F]*$/.test(digits) || digits.length !== RSS_KEY_SIZE * 2)
    throw usage(`--key: must be ${RSS_KEY_SIZE * 2} hexadecimal digits`);
  return Buffer.from(digits, 'hex');
}

function hash(context: Context, source: string, destination: string, options: HashOptions): void {
  const [from, to] = [addressBytes(source), addressBytes(destination)];
  if (from.length !== to.length) throw usage(`${source} and ${destination} are not of the same family`);
  const { sport, dport } = options;
  if ((sport === undefined) !== (dport === undefined)) throw usage('give both --sport and --dport, or neither');
  const input =
    sport === undefined || dport === undefined
      ? rssInput2Tuple(from, to)
      : rssInput4Tuple(from, to, port(sport, '--sport'), port(dport, '--dport'));
  const value = toeplitzHash(keyBytes(options.key ?? VERIFICATION_KEY), input);
  const hex = `0x${value.toString(16).padStart(8, '0')}`;
  const bucket = value % RETA_SIZE;
  if (context.json) context.printJson({ hash: hex, bucket, buckets: RETA_SIZE });
  else context.printLine(`${hex} bucket ${bucket} of ${RETA_SIZE}`);
}
