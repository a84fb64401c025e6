/** The manual page of unipathd: options from their definition, the rest is its own. Pure. */
import { daemonCommand } from '../../service/arguments.js';
import { version } from '../../version.js';
import { argument, escaped, head, type ManPage, tagged } from './man.js';
import type { Entry } from './reference.js';

const DESCRIPTION = [
  'Loads the packet programs, keeps their maps, the host, and virtual machines in step, and answers unipath(1) and Prometheus.',
  'Programs, maps and attachments are pinned: when it ends, by a signal or by a crash, traffic goes on as it was, and the next one takes it over. Only `unipath down` undoes everything.',
];

const SIGNALS: readonly Entry[] = [
  { term: 'SIGTERM, SIGINT', description: 'Finishes the steps that are under way, for at most 15 seconds, and ends. Nothing is detached.' },
  { term: 'SIGHUP', description: 'Reads the configuration again, as `unipath config reload` does, which also says whether it was taken. One that is wrong changes nothing.' },
];

const EXITS: readonly Entry[] = [
  { term: '0', description: 'Ended by a signal, or because everything was undone.' },
  { term: '1', description: 'Could not start or go on; the last message says why and what to do.' },
  { term: '2', description: 'Wrong usage.' },
];

const SERVICE = [
  'As a service of systemd (Type=notify) it tells when it is ready, reloading and ending, and the watchdog that it is alive; without libsystemd nothing is told.',
  'Then its log goes to the journal, with fields: journalctl -u unipathd UNIPATH_VNIC=NAME, or UNIPATH_KIND=path. Otherwise it is JSON on standard output. What goes on is said again ever more seldom, at last once an hour.',
];

const FILES: readonly Entry[] = [
  { term: '/etc/unipath/unipath.yaml', description: 'Configuration of the service. `unipath config check FILE` says everything that is wrong with one.' },
  { term: '/run/unipath/unipath.sock', description: 'Control socket: group unipath may do everything.' },
  { term: '/run/unipath/read/unipath.sock', description: 'Group unipath-read may see everything and change nothing.' },
  { term: '/sys/fs/bpf/unipath', description: 'What is pinned.' },
  { term: '/var/lib/unipath', description: 'How adapters were before `unipath adapter setup`.' },
];

const paragraphs = (texts: readonly string[]): string[] => texts.flatMap((text, i) => [...(i === 0 ? [] : ['.PP']), escaped(text)]);

export function daemonManPage(): ManPage {
  const command = daemonCommand();
  const help = command.createHelp();
  const options = help.visibleOptions(command).map((option) => ({ term: help.optionTerm(option), description: help.optionDescription(option) }));
  return {
    file: 'unipathd.8',
    text: [
      ...head('unipathd', command.description(), version, 8),
      ...['.SH SYNOPSIS', `.B ${argument('unipathd --config FILE')}`],
      ...['.SH DESCRIPTION', ...paragraphs(DESCRIPTION)],
      ...['.SH OPTIONS', ...tagged(options)],
      ...['.SH SIGNALS', ...tagged(SIGNALS)],
      ...['.SH EXIT STATUS', ...tagged(EXITS)],
      ...['.SH AS A SERVICE', ...paragraphs(SERVICE)],
      ...['.SH FILES', ...tagged(FILES)],
      ...['.SH SEE ALSO', '.BR unipath (1)', ''],
    ].join('\n'),
  };
}
