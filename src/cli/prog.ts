/** `unipath prog ...`: the packet programs, where they are attached, what they cost and what they decided. Changes nothing. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { verdictOf } from '../core/verdict.js';
import { allProgramFacts, type ProgramFacts } from '../dataplane/program_facts.js';
import { readReasonTallies } from '../dataplane/reason_tallies.js';
import type { Context } from './context.js';
import { PINS_OPTION, siteOf } from './site.js';

interface PinsOptions {
  readonly pins?: string;
}

/** Does the kernel count runs of programs, and their time? */
const STATISTICS_SWITCH = '/proc/sys/kernel/bpf_stats_enabled';

export function registerProg(program: Command, context: (command: Command) => Context): void {
  const prog = program.command('prog').description('the packet programs; they are only looked at');
  prog
    .command('list')
    .description('tag of each, and where it is attached; with -d a line for each place')
    .option(...PINS_OPTION)
    .action(async (options: PinsOptions, command: Command) => list(context(command), options.pins));
  prog
    .command('stats')
    .description('runs and run time of each, while the kernel counts them (sysctl kernel.bpf_stats_enabled); verdicts of all of them, with reasons')
    .option(...PINS_OPTION)
    .action(async (options: PinsOptions, command: Command) => stats(context(command), options.pins));
}

async function list(context: Context, pins: string | undefined): Promise<void> {
  const site = await siteOf(context, pins);
  const programs = allProgramFacts(site);
  if (context.json) {
    return context.printJson({ folder: site.pins.folder, programs: programs.map(({ name, id, type, tag, attached }) => ({ name, id, type, tag, attached })) });
  }
  if (context.details) {
    const rows = programs.flatMap(({ name, attached }) => attached.map(({ hook, place, mode }) => [name, hook, place, mode ?? '-']));
    return context.printTable(['PROGRAM', 'HOOK', 'PLACE', 'MODE'], rows);
  }
  context.printTable(
    ['PROGRAM', 'TYPE', 'ID', 'TAG', 'ATTACHED'],
    programs.map((facts) => [facts.name, facts.type, String(facts.id), facts.tag, attachedText(facts)]),
  );
}

const SHOWN = 4;

/** "pf0 (native)", "tap1, vfp0 and 12 more (native), tap2 (generic)", "-" */
function attachedText({ attached }: ProgramFacts): string {
  const modes = [...new Set(attached.map(({ mode }) => mode))];
  const texts = modes.map((mode) => {
    const places = attached.filter((each) => each.mode === mode).map(({ place }) => place);
    const more = places.length > SHOWN ? ` and ${places.length - SHOWN} more` : '';
    return `${places.slice(0, SHOWN).join(', ')}${more}${mode === null ? '' : ` (${mode})`}`;
  });
  return texts.join(', ') || '-';
}

function statisticsEnabled(): boolean {
  try {
    return readFileSync(STATISTICS_SWITCH, 'utf8').trim() === '1';
  } catch {
    return false;
  }
}

async function stats(context: Context, pins: string | undefined): Promise<void> {
  const site = await siteOf(context, pins);
  const programs = allProgramFacts(site);
  const reasons = readReasonTallies(site).map(({ reason, packets, bytes }) => ({ verdict: verdictOf(reason), reason, packets, bytes }));
  const enabled = statisticsEnabled();
  if (context.json) {
    const json = programs.map(({ name, id, runs: { count, nanoseconds } }) => ({ name, id, runs: Number(count), run_seconds: Number(nanoseconds) / 1e9 }));
    const counted = reasons.map(({ packets, bytes, ...rest }) => ({ ...rest, packets: Number(packets), bytes: Number(bytes) }));
    return context.printJson({ statistics_enabled: enabled, programs: json, verdicts: counted });
  }
  context.printTable(
    ['PROGRAM', 'RUNS', 'SECONDS', 'NS/RUN'],
    programs.map(({ name, runs: { count, nanoseconds } }) => [
      name,
      ...(count === 0n ? ['-', '-', '-'] : [String(count), (Number(nanoseconds) / 1e9).toFixed(3), String(nanoseconds / count)]),
    ]),
  );
  if (!enabled) context.io.err('runs are not being counted: the kernel does so, at a cost to each, while sysctl kernel.bpf_stats_enabled is 1\n');
  const seen = reasons.filter(({ packets }) => packets > 0n);
  if (seen.length === 0) return;
  context.printLine('');
  context.printTable(
    ['VERDICT', 'REASON', 'FRAMES', 'BYTES'],
    seen.map(({ verdict, reason, packets, bytes }) => [verdict, reason, String(packets), String(bytes)]),
  );
}
