/** `unipath completion`: lets shells complete commands, options, and the names that the daemon knows. */
import type { Command } from 'commander';
import { ControlClient } from '../control/client.js';
import { complete, type Completion, type NameKind } from './complete.js';
import type { Context } from './context.js';

/** Hidden: the scripts call it with the words typed so far. A line for each candidate: word, tab, description; or `:files`. */
const COMPLETE_COMMAND = '__complete';
/** Nobody waits longer for a key. */
const NAMES_TIMEOUT_MS = 1000;

const BASH = `# bash completion for unipath
_unipath() {
    local word description
    COMPREPLY=()
    while IFS=$'\\t' read -r word description; do
        if [[ $word == :files ]]; then compopt -o default 2>/dev/null; else COMPREPLY+=("$word"); fi
    done < <("\${COMP_WORDS[0]}" ${COMPLETE_COMMAND} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _unipath unipath
`;

const ZSH = `#compdef unipath
# zsh completion for unipath
_unipath() {
    local word description
    local -a found
    while IFS=$'\\t' read -r word description; do
        if [[ $word == :files ]]; then _files; else found+=("\${word//:/\\\\:}:$description"); fi
    done < <("\${words[1]}" ${COMPLETE_COMMAND} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe unipath found
}
if [[ $funcstack[1] == _unipath ]]; then _unipath "$@"; else compdef _unipath unipath; fi
`;

const FISH = `# fish completion for unipath
function __unipath_complete
    set -l before (commandline -opc)
    set -l last (commandline -ct)
    for line in ($before[1] ${COMPLETE_COMMAND} -- $before[2..-1] "$last" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$last"
        else
            echo $line
        end
    end
end
complete -c unipath -f -a '(__unipath_complete)'
`;

/** By shell. */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };

const HELP_TAIL = `
bash:  unipath completion bash > /etc/bash_completion.d/unipath
zsh:   unipath completion zsh > /usr/local/share/zsh/site-functions/_unipath
fish:  unipath completion fish > /etc/fish/completions/unipath.fish
For one session: source <(unipath completion bash)`;

export function registerCompletion(program: Command, context: (command: Command) => Context): void {
  const completion = program.command('completion').description('print a script that lets a shell complete commands, options and names');
  completion
    .addArgument(completion.createArgument('<shell>').choices(Object.keys(COMPLETION_SCRIPTS)))
    .addHelpText('after', HELP_TAIL)
    .action((shell: string, _options: object, command: Command) => context(command).io.out(COMPLETION_SCRIPTS[shell] ?? ''));
  program
    .command(COMPLETE_COMMAND, { hidden: true })
    .argument('[words...]')
    .passThroughOptions()
    .action(async (words: readonly string[], _options: object, command: Command) => context(command).io.out(await answer(program, words)));
}

async function answer(program: Command, words: readonly string[]): Promise<string> {
  const completion = complete(program, words);
  const last = words.at(-1) === '=' ? '' : (words.at(-1) ?? '');
  const names = await namesFor(completion);
  const found = names.map((name) => completion.prefix + name).filter((word) => word.startsWith(last));
  const lines = [...found, ...completion.candidates.map(({ word, description }) => `${word}\t${description}`)];
  return [...lines, ...(completion.files ? [':files'] : [])].map((line) => `${line}\n`).join('');
}

/** Without a daemon there are no names: a line that is being typed is no place for errors. */
async function namesFor({ names, socket }: Completion): Promise<readonly string[]> {
  if (names === null) return [];
  try {
    return await NAMES[names](new ControlClient(socket ?? undefined, NAMES_TIMEOUT_MS));
  } catch {
    return [];
  }
}

const NAMES: Readonly<Record<NameKind, (client: ControlClient) => Promise<readonly string[]>>> = {
  vnic: async (client) => (await client.status()).vnics.map(({ name }) => name),
  adapter: async (client) => (await client.status()).adapters.map(({ name }) => name),
  vf: async (client) => (await client.status()).adapters.flatMap(({ vfs }) => vfs.map(({ port }) => port)),
  vm: async (client) => (await client.vms()).vms.map(({ name }) => name),
  pf: async () => {
    const [{ discoverPfs }, { pfName }] = await Promise.all([import('../sriov/discover.js'), import('../sriov/pf_name.js')]);
    return (await discoverPfs()).map(pfName);
  },
  map: async () => Object.keys((await import('../../maps/generated/contract.js')).hostMaps),
  interface: async (client) => {
    const { adapters, vnics } = await client.status();
    const ports = vnics.flatMap(({ tap, vf }) => (vf === null ? [tap] : [tap, vf]));
    return [...new Set([...adapters.map(({ uplink }) => uplink), ...ports])];
  },
};
