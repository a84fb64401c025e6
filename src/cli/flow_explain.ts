/** `unipath flow explain`: what the programs would do with a frame, and why, like the trace of a route. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { explainRequest } from '../capture/explain_request.js';
import { CaptureFileError, type FilePacket, readPackets } from '../capture/pcap_reader.js';
import { DaemonUnreachableError } from '../control/client.js';
import type { ExplainRequest, Explanation } from '../control/protocol.js';
import { unknownName } from '../dataplane/site_names.js';
import { wholeNumber } from './arguments.js';
import type { Context } from './context.js';
import { CliError, ExitCode } from './exit.js';
import { fileProblem } from './file_words.js';
import { offering } from './offers.js';
import { PINS_OPTION, siteOf } from './site.js';

const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 };
const SIDES = ['wire', 'guest'] as const;
/** Characters of frames in one request. */
const REQUEST_CHARACTERS = 512 * 1024;

interface ExplainOptions {
  readonly src?: string;
  readonly dst?: string;
  readonly proto?: string;
  readonly sport?: string;
  readonly dport?: string;
  readonly smac?: string;
  readonly dmac?: string;
  readonly vlan?: string;
  readonly length?: string;
  readonly vnic?: string;
  readonly from?: string;
  readonly in?: string;
  readonly rxQueue?: string;
  readonly cpu?: string;
  readonly pcap?: string;
  readonly packet?: string;
  readonly pins?: string;
}

export function registerFlowExplain(flow: Command, context: (command: Command) => Context): void {
  flow
    .command('explain')
    .description('what the programs would do with a frame now, and why; changes nothing')
    .option('--vnic <name>', 'the vNIC that the frame is for, or with --from guest that it is from')
    .addOption(offering('--from <wire|guest>', 'default: wire', SIDES))
    .option('--in <dev>', 'the interface that it comes in on; default: the uplink, or the port that the guest uses')
    .option('--src <address>', 'IPv4 or IPv6')
    .option('--dst <address>', 'of the same family')
    .addOption(offering('--proto <protocol>', 'tcp, udp, sctp, icmp or a number', Object.keys(PROTOCOLS)).default('tcp'))
    .option('--sport <number>', 'source port')
    .option('--dport <number>', 'destination port')
    .option('--smac <mac>', "default: the vNIC's own, or some station's")
    .option('--dmac <mac>', "default: the vNIC's own, when it comes from the wire")
    .option('--vlan <id>', "of the outer tag, 0 = none; default: the vNIC's")
    .option('--length <bytes>', 'of the whole frame')
    .option('--rx-queue <number>', 'that it comes in on; default: 0')
    .option('--cpu <number>', 'that runs the program; default: 0')
    .option('--pcap <file>', 'every packet of a pcap or pcapng file instead')
    .option('--packet <number>', 'only this packet of the file, from 1')
    .option(...PINS_OPTION)
    .action(async (options: ExplainOptions, command: Command) => explain(context(command), options));
}

const usage = (message: string, hint: string | null = null): CliError => new CliError(message, 'usage', hint, ExitCode.usage);
const number = (text: string | undefined, option: string, most: number): number | undefined =>
  text === undefined ? undefined : wholeNumber(text, option, 0, most);

function protocolOf(text: string, isIpv6: boolean): number {
  const name = text.toLowerCase();
  if (/^[0-9]+$/.test(name)) return wholeNumber(name, '--proto', 0, 255);
  if (name === 'icmp' && isIpv6) return PROTOCOLS['icmpv6'] ?? 0;
  const found = PROTOCOLS[name];
  if (found === undefined) throw unknownName('protocol', text, Object.keys(PROTOCOLS));
  return found;
}

function requestOf(options: ExplainOptions): ExplainRequest {
  const { from, vnic } = options;
  const side = SIDES.find((each) => each === from);
  if (from !== undefined && side === undefined) throw unknownName('side', from, SIDES);
  const where = {
    vnic,
    from: side,
    interface: options.in,
    rx_queue: number(options.rxQueue, '--rx-queue', 0xffff),
    cpu: number(options.cpu, '--cpu', 0xffff),
  };
  if (options.pcap !== undefined) return where;
  const { src, dst } = options;
  if (src === undefined || dst === undefined) throw usage('it is not said which flow', 'give --src and --dst, or --pcap FILE');
  return {
    ...where,
    flow: {
      source: src,
      destination: dst,
      protocol: protocolOf(options.proto ?? 'tcp', src.includes(':')),
      source_port: number(options.sport, '--sport', 0xffff),
      destination_port: number(options.dport, '--dport', 0xffff),
      source_mac: options.smac,
      destination_mac: options.dmac,
      vlan: number(options.vlan, '--vlan', 4094),
      length: number(options.length, '--length', 0xffff),
    },
  };
}

function packetsOf(path: string, only: string | undefined): readonly FilePacket[] {
  let packets: readonly FilePacket[];
  try {
    packets = readPackets(readFileSync(path));
  } catch (error) {
    if (error instanceof CaptureFileError) throw new CliError(`${path}: ${error.message}`, 'bad_capture_file');
    throw new CliError(`${path} cannot be read: ${fileProblem(error)}`, 'no_capture_file');
  }
  if (only === undefined) return packets;
  const wanted = wholeNumber(only, '--packet', 1, 2 ** 31);
  const found = packets.find((packet) => packet.number === wanted);
  if (found === undefined) throw usage(`${path} has ${packets.length} packets, not ${wanted}`);
  return [found];
}

type Ask = (request: ExplainRequest) => Promise<readonly Explanation[]>;

/** The daemon, or without it the pins themselves: the answer is the same. */
async function asker(context: Context, pins: string | undefined): Promise<Ask> {
  if (pins === undefined) {
    const client = context.client();
    return async (request) => {
      try {
        return (await client.explain(request)).explanations;
      } catch (error) {
        if (!(error instanceof DaemonUnreachableError)) throw error;
        throw new CliError(error.message, 'unreachable', 'or name the folder of its pins with --pins', ExitCode.unreachable);
      }
    };
  }
  const site = await siteOf(context, pins);
  return async (request) => explainRequest(site, request).explanations;
}

async function explain(context: Context, options: ExplainOptions): Promise<void> {
  const request = requestOf(options);
  const packets = options.pcap === undefined ? null : packetsOf(options.pcap, options.packet);
  const ask = await asker(context, options.pins);
  if (packets === null) {
    const [explanation] = await ask(request);
    if (explanation === undefined) throw new CliError('no answer to that', 'no_answer');
    if (context.json) context.printJson(explanation);
    else printSteps(context, explanation);
    return;
  }
  // Where the file says it came in, unless it is said here.
  const isSaid = options.in !== undefined || options.vnic !== undefined;
  for (const some of chunks(packets)) {
    const frames = some.map((packet) => ({ frame: packet.bytes.toString('hex'), interface: isSaid ? null : packet.interface }));
    const explanations = await ask({ ...request, frames });
    for (const [i, explanation] of explanations.entries()) printPacket(context, some[i], explanation, packets.length > 1);
  }
}

function* chunks(packets: readonly FilePacket[]): Generator<readonly FilePacket[]> {
  let chunk: FilePacket[] = [];
  let characters = 0;
  for (const packet of packets) {
    if (chunk.length > 0 && characters + packet.bytes.length * 2 > REQUEST_CHARACTERS) {
      yield chunk;
      [chunk, characters] = [[], 0];
    }
    chunk.push(packet);
    characters += packet.bytes.length * 2 + 64;
  }
  if (chunk.length > 0) yield chunk;
}

function printPacket(context: Context, packet: FilePacket | undefined, explanation: Explanation, several: boolean): void {
  const cut = packet !== undefined && packet.length > packet.bytes.length;
  if (context.json) return context.printJson({ packet: packet?.number ?? null, cut_short: cut, ...explanation });
  if (several) context.printLine(`packet ${packet?.number ?? '?'}`);
  printSteps(context, explanation);
  if (cut)
    context.printLine(
      `${''.padEnd(STEP_WIDTH)}(the file has only ${packet.bytes.length} of its ${packet.length} bytes: `,
      'the whole frame may be decided otherwise)',
    );
  if (several) context.printLine('');
}

const STEP_WIDTH = 10;
const VERDICT_STYLES = { pass: 'busy', drop: 'bad', redirect: 'good', aborted: 'bad' } as const;

function printSteps(context: Context, { steps, verdict }: Explanation): void {
  for (const { step, text } of steps) {
    context.printLine(
      { text: step.padEnd(STEP_WIDTH), style: 'quiet' },
      step === 'verdict' ? { text, style: VERDICT_STYLES[verdict] } : text,
    );
  }
}
