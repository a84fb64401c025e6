/** What the definitions of the commands say of them, for documentation in any form. Pure. */
import type { Command } from 'commander';
import { version } from '../../version.js';
import { programFor } from '../program.js';

export interface Entry {
  readonly term: string;
  readonly description: string;
}

export interface CommandReference {
  /** "unipath vnic show" */
  readonly name: string;
  /** With its arguments: "unipath vnic show [name]". */
  readonly usage: string;
  readonly description: string;
  readonly arguments: readonly Entry[];
  readonly options: readonly Entry[];
  /** Names of what is below it. */
  readonly commands: readonly string[];
  /** What its help says at the end. */
  readonly notes: string;
}

export interface Reference {
  readonly version: string;
  /** The whole, then every command, in the order of the help. */
  readonly commands: readonly CommandReference[];
}

/** Parts of the tree that are not loaded unless they are named. */
const ALL_PARTS = ['capture', 'flow', 'map', 'prog', 'lab'];

/** What is added to the help, of which commander keeps no record. */
function notesOf(command: Command, output: { text: string }): string {
  output.text = '';
  command.outputHelp();
  return output.text.slice(command.helpInformation().length).trim();
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function referenceOf(command: Command, output: { text: string }): CommandReference {
  const help = command.createHelp();
  const name = nameOf(command);
  const terms = command.registeredArguments.map((argument) => help.argumentTerm(argument));
  const shown = command.registeredArguments.map((argument) => {
    const more = argument.variadic ? '...' : '';
    return argument.required ? `<${argument.name()}${more}>` : `[${argument.name()}${more}]`;
  });
  const options = help.visibleOptions(command).filter(({ long }) => long !== '--help');
  return {
    name,
    usage: [name, ...shown, ...(options.length > 0 ? ['[options]'] : [])].join(' '),
    description: command.description(),
    arguments: command.registeredArguments.map((argument, i) => ({ term: terms[i] ?? '', description: help.argumentDescription(argument) })),
    options: options.map((option) => ({ term: help.optionTerm(option), description: help.optionDescription(option) })),
    commands: belowOf(command).map(nameOf),
    notes: notesOf(command, output),
  };
}

const belowOf = (command: Command): Command[] => command.createHelp().visibleCommands(command).filter((each) => each.name() !== 'help');

export async function referenceOfUnipath(): Promise<Reference> {
  const output = { text: '' };
  const say = (text: string): void => void (output.text += text);
  const program = await programFor(ALL_PARTS, { out: say, err: say, colour: false, interrupted: () => new AbortController().signal });
  const all = (command: Command): Command[] => [command, ...belowOf(command).flatMap(all)];
  return { version, commands: all(program).map((command) => referenceOf(command, output)) };
}
