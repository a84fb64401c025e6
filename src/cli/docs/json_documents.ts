/** Which document each command prints with -j. Names in capitals are those of the tables that docs/json.md has of them. */

/** What is the same in many. */
const FORESEEN_PF = '{pf: string; done: boolean; steps: string[]; effects: string[]}';
const ACTED = 'ActReply; with --dry-run {dry_run: true; vnic: VnicStatus; in_the_way: ConditionStatus[]}';
const MAP = '{name: string; id: number; type: string; key, value: {type: string; size_bytes: number; fields: {name, type: string; offset: number}[]} | null; max_entries: number}';
const FORESEEN_VM = '{dry_run: true; vm: VmStatus; would: string}';

/** Beside `schema`, which all have. */
export const DOCUMENTS: Readonly<Record<string, string>> = {
  'status': 'StatusReply, and degraded: string[] (what is not as it should be)',
  'explain': '{vnic: string; path; want; reason; reason_text; conditions: ConditionStatus[]}',
  'vnic show': '{vnics: VnicStatus[]}; with -s each has counters, an entry of CountersReply',
  'vnic reserve': '{dry_run: boolean; vnic: VnicStatus}; with --dry-run also what: string',
  'vnic accelerate': ACTED,
  'vnic software': ACTED,
  'vnic auto': ACTED,
  'vm show': '{vms: VmStatus[]; problems} of VmsReply',
  'vm receive': `{vm: string; uri: string}; with --dry-run ${FORESEEN_VM}`,
  'vm migrate': `MigrateReply, and steering (as of flow copy); with --dry-run ${FORESEEN_VM}`,
  'vm cancel': `{vm: string}; with --dry-run ${FORESEEN_VM}`,
  'adapter show': '{daemon: \'running\' | \'unreachable\'; adapters: AdapterStatus[]; quotas: QuotaStatus[]; pfs: what was found out of each PF, each fact with answer: \'yes\' | \'no\' | \'unknown\'}',
  'adapter setup': FORESEEN_PF,
  'adapter reset': FORESEEN_PF,
  'adapter vf': '{done: boolean; changes: string[]}',
  'vf show': '{vfs: VfStatus[]}, each with adapter: string',
  'vf quarantine': '{dry_run: boolean; vf: VfStatus}; with --dry-run what: string instead of vf',
  'vf release': '{dry_run: boolean; vf: VfStatus}; with --dry-run what: string instead of vf',
  'monitor': 'MonitorEvent, one a line',
  'top': '{time: string; seconds: number; vnics: TopRow[]} for each interval',
  'capture': '{time, interface, summary: string; rx_queue, cpu, length: number; verdict, reason, vnic, target, hash: string | null; queue, handed_to_cpu: number | null; bytes: string (hexadecimal digits)}, one a line',
  'flow explain': 'Explanation, one a line',
  'flow top': '{estimated: boolean; sample, seconds, lost: number; flows: {flow, in: string; vnic, target, reason: string | null; queue: number | null; packets_per_second, bits_per_second, sampled, sampled_before: number}[]}',
  'flow copy': '{vnics: {vnic: string; flows: number; waits: boolean}[]; notes: string[]}; with --dry-run {dry_run: true; vnics: {vnic: string; flows: number; known_there: boolean}[]}',
  'flow show': 'FlowSlots, and vnic: string',
  'map list': `{folder: string; maps: ${MAP}[]}`,
  'map dump': `${MAP}, and entries: {key; name: string | null; value, or values: {cpu: number; value}[]}[], null of a ring`,
  'map stats': '{maps: {name, type: string; entries: number | null; max_entries: number}[]}',
  'prog list': '{folder: string; programs: {name, type, tag: string; id: number; attached: {hook, place: string; mode: string | null}[]}[]}',
  'prog stats': '{statistics_enabled: boolean; programs: {name: string; id, runs, run_seconds: number}[]; verdicts: {verdict, reason: string; packets, bytes: number}[]}',
  'config check': '{ok: boolean; problems: {line, column: number; field, message: string}[]}',
  'config show': 'ConfigReply',
  'config diff': '{config_file: string; file: string; changes: ConfigChange[]}',
  'config schema': 'the JSON Schema itself, without a schema number',
  'config reload': 'ReloadReply, and dry_run: boolean',
  'down': 'DownReply; with --dry-run {dry_run: true; undone: string[]}',
  'metrics': 'none: text as Prometheus has it',
  'version': '{version: string; node_version: string}',
  'rss show': 'RssReply',
  'rss set': 'RssSetReply',
  'rss hash': '{hash: string; bucket: number; buckets: number}',
  'guest check': '{ok: boolean; interfaces: {name, ...}[]; findings: Finding[]}',
  'doctor': '{ok: boolean; findings: Finding[]}',
  'bugreport': '{time: string; versions; kernel; doctor; status; conditions; events; counters; rss; vms; config; maps; interfaces}; a part that cannot be had is {error: string}',
  'batch': 'those of its lines, one behind the other',
  'completion': 'none: the script',
  'lab up': 'with --dry-run {dry_run: true; done: string[]}',
  'lab down': 'with --dry-run {dry_run: true; undone: string[]}',
  'lab run': 'the results of its steps, as --results writes them',
  'lab status': '{up: boolean; namespaces; processes; ...}',
  'lab exec': 'none: what the command prints',
};

/** Where the tables are made from, in this order; below the package's folder. */
export const SOURCES: readonly string[] = [
  'src/control/protocol.ts', 'src/control/rss_protocol.ts', 'src/control/vm_protocol.ts', 'src/cli/top_rates.ts', 'src/capture/flow_slots.ts', 'src/config/changes.ts',
  'src/core/finding.ts', 'src/core/model.ts',
];
