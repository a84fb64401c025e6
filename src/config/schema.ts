/** The shape of the configuration file, key by key. What concerns several keys at once is in check.ts. */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { ADAPTER_MAX_QUEUES, ADAPTER_MAX_VFS } from '../core/budget.js';
import { canonicalAddresses, parsePrefix, prefixText } from '../core/addresses.js';
import { HASH_TYPE_NAMES, hashTypeProblem, hashTypesOf } from '../core/hash_types.js';
import { DEFAULT_HASH_TYPES, MAX_PREFIXES, MAX_QUEUES, MAX_VLANS } from '../core/limits.js';
import { type CutThroughSetting, DEFAULT_RULES, type GuestModeSetting, parseMacAddress, type QuotaSpec, type VfSpec } from '../core/model.js';
import { MAX_WEIGHT, trimWeights, weightsProblem } from '../core/reta.js';
import { KEY_WORDS, parseRssKey } from '../core/rss_plan.js';
import { interfaceNameProblem, netnsNameProblem } from '../host/names.js';

const MIN_FLOWS_PER_VNIC = 64;
/** Half a gigabyte of flow table over all vNICs. */
const MAX_FLOWS_PER_VNIC = 65_536;
/** sizeof(sun_path) less its end mark. */
const MAX_SOCKET_PATH_BYTES = 107;
const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** Text for which `problem` returns null. */
const checked = (problem: (text: string) => string | null) =>
  z.string().superRefine((text, context) => {
    const message = problem(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

const name = checked((text) =>
  NAME_PATTERN.test(text) ? null : `"${text}" is no name: letters, digits, "_", "." and "-", at most 63, a letter or digit first`,
);
const device = checked(interfaceNameProblem);
const netns = checked(netnsNameProblem);
const path = checked((text) => (isAbsolute(text) ? null : `"${text}" is not an absolute path`));
const socketPath = checked((text) => {
  if (!isAbsolute(text)) return `"${text}" is not an absolute path`;
  return Buffer.byteLength(text) <= MAX_SOCKET_PATH_BYTES ? null : `a socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes`;
});

/** Text that `parse` makes something of; what it throws is what is wrong. */
const parsed = <T>(parse: (text: string) => T) =>
  z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });

const mac = parsed(parseMacAddress);

/** "HOST:PORT", "[IPv6]:PORT", or a port alone, which then is reached from this machine only. */
const listen = z.union([z.string(), z.number()]).transform((value, context) => {
  const [, bracketed, host, port = ''] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):)?([0-9]{1,5})$/.exec(String(value)) ?? [];
  if (port === '' || Number(port) < 1 || Number(port) > 65_535) {
    context.addIssue({ code: 'custom', message: `"${value}" is not an address and port such as 127.0.0.1:9435 or [::1]:9435` });
    return z.NEVER;
  }
  return { host: bracketed ?? host ?? '127.0.0.1', port: Number(port) };
});

const rssKey = parsed((text) => ((KEY_WORDS as readonly string[]).includes(text) ? text : parseRssKey(text)));

/** Keys of the mappings that a chosen schema takes. */
const CHOICE_KEYS = new WeakMap<object, readonly string[]>();

/** One of several schemas, chosen by the look of the value, so that what is wrong is said as by that one alone. */
function chosen<T>(choose: (value: unknown) => z.ZodType<T>, keys: readonly string[] = []) {
  const schema = z.unknown().transform((value, context): T => {
    const result = choose(value).safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) context.addIssue({ ...issue, input: value } as Parameters<typeof context.addIssue>[0]);
    return z.NEVER;
  });
  CHOICE_KEYS.set(schema, keys);
  return schema;
}

/** A list of 1..`most` entries, none of them twice; `what` says what an entry is. */
const listOf = <T extends z.ZodType<string | number>>(entry: T, what: string, most: number) =>
  z.array(entry).superRefine((list, context) => {
    const complain = (message: string, path: number[] = []): void => context.addIssue({ code: 'custom', message, path });
    if (list.length === 0) complain(`is empty: name at least one ${what}`);
    if (list.length > most) complain(`${list.length} are more than a vNIC can have (${most})`);
    for (const [i, each] of list.entries()) if (list.indexOf(each) < i) complain(`the ${what} ${each} is in the list already`, [i]);
  });

const hashTypes = listOf(checked(hashTypeProblem), 'hash type', HASH_TYPE_NAMES.length).transform(hashTypesOf);

const rss = z.strictObject({
  key: rssKey.default('random'),
  hash_types: hashTypes.default(DEFAULT_HASH_TYPES),
});

const MAX_VLAN_ID = 4094;

export interface Vlans {
  readonly vlans: readonly number[];
  readonly access: boolean;
}

const vlanId = z.int().min(0).max(MAX_VLAN_ID);
const accessVlan = z.strictObject({ access: z.int().min(1).max(MAX_VLAN_ID) });
const trunkVlan = z.strictObject({ trunk: listOf(vlanId, 'VLAN', MAX_VLANS) });

/** An id: the guest tags its frames itself, or has none (0). Or {access: ID}, or {trunk: [ID, ...]}. */
const vlan = chosen<Vlans>(
  (value) => {
    if (typeof value !== 'object' || value === null) return vlanId.transform((id) => ({ vlans: [id], access: false }));
    if ('trunk' in value) return trunkVlan.transform(({ trunk }) => ({ vlans: [...trunk].sort((a, b) => a - b), access: false }));
    return accessVlan.transform(({ access }) => ({ vlans: [access], access: true }));
  },
  ['access', 'trunk'],
);

const addresses = listOf(parsed((text) => prefixText(parsePrefix(text))), 'address', 2 * MAX_PREFIXES).transform((list, context) => {
  try {
    return canonicalAddresses(list);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

const weightedReta = z.strictObject({
  weights: z
    .array(z.int().min(0).max(MAX_WEIGHT))
    .superRefine((list, context) => {
      // Of one that is out of range the schema has told already.
      const problem = list.some((weight) => weight < 0 || weight > MAX_WEIGHT) ? null : weightsProblem(list, MAX_QUEUES);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    })
    .transform(trimWeights),
});

/** Weights; none for equal shares. */
const reta = chosen<readonly number[]>(
  (value) =>
    typeof value === 'object' && value !== null ? weightedReta.transform(({ weights }) => weights) : z.enum(['equal']).transform(() => []),
  ['weights'],
);

const cutThrough = chosen<CutThroughSetting>((value) =>
  typeof value === 'boolean' ? z.boolean().transform((on) => (on ? 'on' : 'off')) : z.enum(['auto', 'on', 'off']),
);

const isPowerOfTwo = (value: number): boolean => (value & (value - 1)) === 0;
const flowsPerVnic = z
  .int()
  .min(MIN_FLOWS_PER_VNIC)
  .max(MAX_FLOWS_PER_VNIC)
  .refine(isPowerOfTwo, { error: 'must be a power of two, such as 4096' });

/** NICs of QEMU that a Linux guest enslaves to its virtio NIC, and that can be unplugged. */
export const EMULATED_MODELS = ['vmxnet3', 'e1000e', 'rtl8139', 'e1000'] as const;

const MAX_NUMA_NODE = 1023;
const MAX_VECTORS = 1_000_000;
const numaNode = z.int().min(0).max(MAX_NUMA_NODE);
/** What sysfs tells of a VF of an adapter, for one of which it tells nothing. */
const origin = { pf: name.optional(), numa_node: numaNode.optional(), vectors: z.int().min(0).max(2048).optional() };
type OriginFile = { readonly [Key in keyof typeof origin]?: z.output<(typeof origin)[Key]> | undefined };

function withOrigin(spec: VfSpec, { pf, numa_node, vectors }: OriginFile): VfSpec {
  const said = { ...(pf === undefined ? {} : { pf }), ...(numa_node === undefined ? {} : { numaNode: numa_node }), ...(vectors === undefined ? {} : { vectors }) };
  return Object.keys(said).length === 0 ? spec : { ...spec, origin: said };
}

const netdevVf = z
  .strictObject({ port: device, device, ...origin })
  .transform(({ port, device, ...more }): VfSpec => withOrigin({ kind: 'netdev', port, device }, more));
const emulatedVf = z
  .strictObject({ port: device, model: z.enum(EMULATED_MODELS), ...origin })
  .transform(({ port, model, ...more }): VfSpec => withOrigin({ kind: 'emulated', port, device: model }, more));

/** A device of the host that a guest is given, or {port: TAP, model: MODEL}: a NIC that QEMU makes in its place. */
const vf = chosen<VfSpec>(
  (value) => (typeof value === 'object' && value !== null && 'model' in value ? emulatedVf : netdevVf),
  ['port', 'device', 'model', ...Object.keys(origin)],
);

const netnsGuest = z.strictObject({ netns }).transform((guest): GuestFile => ({ kind: 'netns', ...guest }));
const machineName = checked((text) => (text !== '' && text.length <= 255 && !/[\s/]/.test(text) ? null : `"${text}" is no name of a virtual machine`));
const vmGuest = z
  .strictObject({ vm: machineName, mode: z.enum(['auto', 'net_failover', 'plugin']).default('auto') })
  .transform((guest): GuestFile => ({ kind: 'vm', ...guest }));

export type GuestFile =
  | { readonly kind: 'netns'; readonly netns: string }
  | { readonly kind: 'vm'; readonly vm: string; readonly mode: GuestModeSetting };

/** A network namespace, or a virtual machine, whose NIC is found by the MAC address. */
const guest = chosen<GuestFile>(
  (value) => (typeof value === 'object' && value !== null && 'vm' in value ? vmGuest : netnsGuest),
  ['netns', 'vm', 'mode'],
);

const qmpPattern = checked((text) => {
  if (!isAbsolute(text)) return `"${text}" is not an absolute path`;
  return text.slice(0, text.lastIndexOf('/')).includes('*') ? 'only the last part of the path may have a *' : null;
});
const libvirtUri = checked((text) =>
  /^[a-z][a-z0-9+.-]*:\/\/\S*$/i.test(text) ? null : `"${text}" is no libvirt URI such as qemu:///system`,
);

export type HypervisorFile = { readonly kind: 'qmp'; readonly qmp: string } | { readonly kind: 'libvirt'; readonly libvirt: string };

/** QMP sockets, by path or with a * in the last part; or a libvirt URI. */
const hypervisor = chosen<HypervisorFile>(
  (value) =>
    typeof value === 'object' && value !== null && 'libvirt' in value
      ? z.strictObject({ libvirt: libvirtUri }).transform((one): HypervisorFile => ({ kind: 'libvirt', ...one }))
      : z.strictObject({ qmp: qmpPattern }).transform((one): HypervisorFile => ({ kind: 'qmp', ...one })),
  ['qmp', 'libvirt'],
);

const vectorCeiling = z.int().min(0).max(MAX_VECTORS).optional();
const ceilings = {
  vfs: z.int().min(0).max(ADAPTER_MAX_VFS).optional(),
  queues: z.int().min(0).max(ADAPTER_MAX_QUEUES).optional(),
  vectors: vectorCeiling,
};
/** Of several adapters together, or of vNICs on several. */
const MAX_SHARED = 1_000_000;
const shared = z.int().min(0).max(MAX_SHARED).optional();
const quota = z
  .strictObject({ name, vfs: shared, queues: shared, vectors: vectorCeiling })
  .transform(({ name, ...ceilings }): QuotaSpec => ({ name, ceilings }));

const limits = z.strictObject({
  vfs: z.int().min(0).max(ADAPTER_MAX_VFS).default(ADAPTER_MAX_VFS),
  queues: z.int().min(0).max(ADAPTER_MAX_QUEUES).default(ADAPTER_MAX_QUEUES),
  vectors: vectorCeiling,
  per_pf: z.strictObject(ceilings).default({}),
});

const MAX_IDLE_SECONDS = 86_400;
const MAX_PRIORITY = 1000;
/** Mbit/s; beyond, a byte lasts for so few picoseconds that the rate would not be what was asked for. */
const MAX_RATE = 100_000;

const adapter = z.strictObject({
  name,
  uplink: device,
  bridge: device,
  limits: limits.default({ vfs: ADAPTER_MAX_VFS, queues: ADAPTER_MAX_QUEUES, per_pf: {} }),
  quota: name.optional(),
  placement: z.enum(['pack', 'spread', 'near']).default(DEFAULT_RULES.placement),
  idle_seconds: z.number().min(1).max(MAX_IDLE_SECONDS).default(DEFAULT_RULES.idleMs / 1000),
  vfs: z.array(vf).default([]),
});

const vnic = z.strictObject({
  name,
  mac,
  vlan: vlan.default({ vlans: [0], access: false }),
  addresses: addresses.optional(),
  adapter: name,
  tap: device.optional(),
  guest,
  policy: z.enum(['accelerated', 'software']).default('accelerated'),
  max_rate: z.int().min(1).max(MAX_RATE).optional(),
  quota: name.optional(),
  priority: z.int().min(-MAX_PRIORITY).max(MAX_PRIORITY).default(0),
  numa_node: numaNode.optional(),
  cut_through: cutThrough.default('auto'),
  reta: reta.default([]),
});

export const configSchema = z.strictObject({
  socket: socketPath.default('/run/unipath/unipath.sock'),
  pins: path.default('/sys/fs/bpf/unipath'),
  metrics: z.strictObject({ listen }).optional(),
  flows_per_vnic: flowsPerVnic.default(4096),
  rss: rss.default({ key: 'random', hash_types: DEFAULT_HASH_TYPES }),
  xdp_mode: z.enum(['auto', 'native', 'generic']).default('auto'),
  hypervisors: z.array(hypervisor).default([]),
  discover: z.strictObject({ policy: z.enum(['accelerated', 'software']).default('accelerated') }).optional(),
  quotas: z.array(quota).default([]),
  adapters: z.array(adapter).default([]),
  vnics: z.array(vnic).default([]),
});

/** The file's content, checked key by key and with its defaults. */
export type ConfigFile = z.output<typeof configSchema>;

/** Keys that may stand in the mapping at `path`; empty when none may. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let schema: unknown = configSchema;
  const inner = (): unknown => {
    while (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) schema = schema.unwrap();
    return schema;
  };
  for (const step of path) {
    const here = inner();
    if (here instanceof z.ZodObject) schema = (here.shape as Readonly<Record<string, unknown>>)[String(step)];
    else schema = here instanceof z.ZodArray ? here.element : undefined;
  }
  const here = inner();
  if (here instanceof z.ZodObject) return Object.keys(here.shape);
  return typeof here === 'object' && here !== null ? (CHOICE_KEYS.get(here) ?? []) : [];
}
