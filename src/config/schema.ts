/**
 * The shape of the configuration file, key by key, each with its meaning: the JSON Schema and docs/configuration.md are made of it. What
 * concerns several keys at once is in check.ts.
 */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { ADAPTER_MAX_QUEUES, ADAPTER_MAX_VFS } from '../core/budget.js';
import { canonicalAddresses, parsePrefix, prefixText } from '../core/addresses.js';
import { HASH_TYPE_NAMES, hashTypeNames, hashTypeProblem, hashTypesOf } from '../core/hash_types.js';
import { DEFAULT_HASH_TYPES, MAX_PREFIXES, MAX_QUEUES, MAX_VLANS } from '../core/limits.js';
import {
  type CutThroughSetting, DEFAULT_RULES, type GuestModeSetting, parseMacAddress, type QuotaSpec, type VfSettings, type VfSpec,
} from '../core/model.js';
import { MAX_WEIGHT, trimWeights, weightsProblem } from '../core/reta.js';
import { KEY_WORDS, parseRssKey } from '../core/rss_plan.js';
import { interfaceNameProblem, netnsNameProblem } from '../host/names.js';
import { STATE_FOLDER } from '../paths.js';
import { parsePciAddress } from '../sriov/pci.js';

const MIN_FLOWS_PER_VNIC = 64;
/** A guest may take this many times longer than usual. */
const MAX_PATIENCE = 100;
/** Half a gigabyte of flow table over all vNICs. */
const MAX_FLOWS_PER_VNIC = 65_536;
/** sizeof(sun_path) less its end mark. */
const MAX_SOCKET_PATH_BYTES = 107;
const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
/** For the JSON Schema only; what is accepted is said where it is parsed. */
const PATTERNS = {
  absolutePath: '^/',
  mac: '^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$',
  rssKey: '^(random|nic|([0-9A-Fa-f]{2}:?){39}[0-9A-Fa-f]{2})$',
  libvirtUri: '^[A-Za-z][A-Za-z0-9+.-]*://\\S*$',
} as const;

/** Text for which `problem` returns null. */
const checked = (problem: (text: string) => string | null) =>
  z.string().superRefine((text, context) => {
    const message = problem(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

const name = checked((text) =>
  NAME_PATTERN.test(text) ? null : `"${text}" is no name: letters, digits, "_", "." and "-", at most 63, a letter or digit first`,
).meta({ pattern: NAME_PATTERN.source });
const device = checked(interfaceNameProblem);
const netns = checked(netnsNameProblem);
const path = checked((text) => (isAbsolute(text) ? null : `"${text}" is not an absolute path`)).meta({ pattern: PATTERNS.absolutePath });
const socketPath = checked((text) => {
  if (!isAbsolute(text)) return `"${text}" is not an absolute path`;
  return Buffer.byteLength(text) <= MAX_SOCKET_PATH_BYTES ? null : `a socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes`;
}).meta({ pattern: PATTERNS.absolutePath, maxLength: MAX_SOCKET_PATH_BYTES });

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

const mac = parsed(parseMacAddress).meta({ pattern: PATTERNS.mac });

/** "HOST:PORT", "[IPv6]:PORT", or a port alone, which then is reached from this machine only. */
const listen = z.union([z.string(), z.number()]).transform((value, context) => {
  const [, bracketed, host, port = ''] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):)?([0-9]{1,5})$/.exec(String(value)) ?? [];
  if (port === '' || Number(port) < 1 || Number(port) > 65_535) {
    context.addIssue({ code: 'custom', message: `"${value}" is not an address and port such as 127.0.0.1:9435 or [::1]:9435` });
    return z.NEVER;
  }
  return { host: bracketed ?? host ?? '127.0.0.1', port: Number(port) };
});

const rssKey = parsed((text) => ((KEY_WORDS as readonly string[]).includes(text) ? text : parseRssKey(text))).meta({ pattern: PATTERNS.rssKey });

/** What a chosen schema takes, by its definition, which a schema with a description shares with the one without. */
const CHOICES = new WeakMap<object, readonly z.ZodType[]>();

/** The schemas of which the value of this one is one; null for a schema that is no such choice. */
export function choicesOf(schema: z.core.$ZodType): readonly z.ZodType[] | null {
  return CHOICES.get(schema._zod.def) ?? null;
}

/** One of several schemas, chosen by the look of the value, so that what is wrong is said as by that one alone. */
function chosen<T>(choices: readonly z.ZodType[], choose: (value: unknown) => z.ZodType<T>) {
  const schema = z.unknown().transform((value, context): T => {
    const result = choose(value).safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) context.addIssue({ ...issue, input: value } as Parameters<typeof context.addIssue>[0]);
    return z.NEVER;
  });
  CHOICES.set(schema._zod.def, choices);
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

const hashType = checked(hashTypeProblem).meta({ enum: HASH_TYPE_NAMES });
const hashTypes = listOf(hashType, 'hash type', HASH_TYPE_NAMES.length).transform(hashTypesOf);

const rss = z.strictObject({
  key: rssKey
    .prefault('random')
    .describe('Toeplitz key of the host: `random` is drawn once and kept while the pins are, `nic` is that of the first adapter\'s uplink (whose own hash of a frame is then taken where its driver tells it), or 80 hexadecimal digits'),
  hash_types: hashTypes
    .prefault(hashTypeNames(DEFAULT_HASH_TYPES))
    .describe('what is hashed over which fields (`maps/hash_types.h`); a type that is not listed is hashed over its addresses, or not at all'),
});

const MAX_VLAN_ID = 4094;
/** Mbit/s; the kernel's number has 32 bits, and half of them are enough. */
const MAX_RATE = 2_147_483_647;

export interface Vlans {
  readonly vlans: readonly number[];
  readonly access: boolean;
}

const vlanId = z.int().min(0).max(MAX_VLAN_ID);
const accessVlan = z.strictObject({ access: z.int().min(1).max(MAX_VLAN_ID).describe('VLAN id of its frames on the wire') });
const trunkVlan = z.strictObject({ trunk: listOf(vlanId, 'VLAN', MAX_VLANS).describe(`up to ${MAX_VLANS} VLAN ids; 0: untagged frames`) });

/** An id: the guest tags its frames itself, or has none (0). Or {access: ID}, or {trunk: [ID, ...]}. */
const vlan = chosen<Vlans>(
  [vlanId, accessVlan, trunkVlan],
  (value) => {
    if (typeof value !== 'object' || value === null) return vlanId.transform((id) => ({ vlans: [id], access: false }));
    if ('trunk' in value) return trunkVlan.transform(({ trunk }) => ({ vlans: [...trunk].sort((a, b) => a - b), access: false }));
    return accessVlan.transform(({ access }) => ({ vlans: [access], access: true }));
  },
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
    .transform(trimWeights)
    .describe(`one for each queue, 0..${MAX_WEIGHT}, not all 0`),
});

/** Weights; none for equal shares. */
const equalShares = z.enum(['equal']);
const reta = chosen<readonly number[]>([equalShares, weightedReta], (value) =>
  typeof value === 'object' && value !== null ? weightedReta.transform(({ weights }) => weights) : equalShares.transform(() => []),
);

/** YAML takes on and off for true and false in its older version. */
const cutThroughWord = z.enum(['auto', 'on', 'off']);
const cutThrough = chosen<CutThroughSetting>([cutThroughWord, z.boolean()], (value) =>
  typeof value === 'boolean' ? z.boolean().transform((on) => (on ? 'on' : 'off')) : cutThroughWord,
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
const origin = {
  pf: name.optional().describe('the PF that it is of, where the machine does not tell; ceilings per PF and `placement` go by it'),
  numa_node: numaNode.optional().describe('the NUMA node that it is near, where the machine does not tell'),
  vectors: z.int().min(0).max(2048).optional().describe('its MSI-X vectors, where the machine does not tell'),
};
type OriginFile = { readonly [Key in keyof typeof origin]?: z.output<(typeof origin)[Key]> | undefined };

function withOrigin(spec: VfSpec, { pf, numa_node, vectors }: OriginFile): VfSpec {
  const said = { ...(pf === undefined ? {} : { pf }), ...(numa_node === undefined ? {} : { numaNode: numa_node }), ...(vectors === undefined ? {} : { vectors }) };
  return Object.keys(said).length === 0 ? spec : { ...spec, origin: said };
}

const netdevVf = z
  .strictObject({
    port: device.describe('interface through which the host reaches the VF: its representor, or its host-side port'),
    device: device.describe('the interface that goes into the guest\'s network namespace'),
    ...origin,
  })
  .transform(({ port, device, ...more }): VfSpec => withOrigin({ kind: 'netdev', port, device }, more));
const emulatedVf = z
  .strictObject({
    port: device.describe('a tap for it alone'),
    model: z.enum(EMULATED_MODELS).describe('the NIC that QEMU makes on that tap, in the place of a VF'),
    ...origin,
  })
  .transform(({ port, model, ...more }): VfSpec => withOrigin({ kind: 'emulated', port, device: model }, more));

const pciAddress = parsed(parsePciAddress);
const passedVf = z
  .strictObject({ pci: pciAddress.describe('PCI address of a VF of the uplink, which a virtual machine is given by VFIO') })
  .transform(({ pci }): VfSpec => ({ kind: 'passthrough', port: pci, device: pci }));

/**
 * A device of the host that a guest is given; {port: TAP, model: MODEL}: a NIC that QEMU makes in its place; {pci: ADDRESS}: a VF of the uplink that
 * a virtual machine is given by VFIO.
 */
const vf = chosen<VfSpec>([netdevVf, emulatedVf, passedVf], (value) => {
  if (typeof value !== 'object' || value === null) return netdevVf;
  return 'pci' in value ? passedVf : 'model' in value ? emulatedVf : netdevVf;
});

const rate = z.int().min(0).max(MAX_RATE);

/** What is said of it only. */
const vfSettings = z
  .strictObject({
    spoof_check: z.boolean().optional().describe('drop frames from other addresses than the vNIC\'s'),
    trust: z.boolean().optional().describe('it may choose its address and listen to everything'),
    min_rate: rate.optional().describe('Mbit/s that it has at least; 0: none'),
    max_rate: rate.optional().describe('Mbit/s that it has at most; 0: no limit'),
  })
  .superRefine(({ min_rate = 0, max_rate = 0 }, context) => {
    if (max_rate !== 0 && min_rate > max_rate) context.addIssue({ code: 'custom', path: ['min_rate'], message: `${min_rate} is more than max_rate (${max_rate})` });
  })
  .transform(({ spoof_check, trust, min_rate, max_rate }): VfSettings => ({
    ...(spoof_check === undefined ? {} : { spoofCheck: spoof_check }),
    ...(trust === undefined ? {} : { trust }),
    ...(min_rate === undefined ? {} : { minRate: min_rate }),
    ...(max_rate === undefined ? {} : { maxRate: max_rate }),
  }));

const netnsGuest = z.strictObject({ netns: netns.describe('a network namespace of this name is the guest') }).transform((guest): GuestFile => ({ kind: 'netns', ...guest }));
const machineName = checked((text) => (text !== '' && text.length <= 255 && !/[\s/]/.test(text) ? null : `"${text}" is no name of a virtual machine`));
const vmGuest = z
  .strictObject({
    vm: machineName.describe('name of the virtual machine; its NIC is the one with the MAC address'),
    mode: z.enum(['auto', 'net_failover', 'plugin']).prefault('auto').describe('what in the guest takes the VF; `auto`: what it shows to have (`docs/guest.md`)'),
  })
  .transform((guest): GuestFile => ({ kind: 'vm', ...guest }));

export type GuestFile =
  | { readonly kind: 'netns'; readonly netns: string }
  | { readonly kind: 'vm'; readonly vm: string; readonly mode: GuestModeSetting };

/** A network namespace, or a virtual machine, whose NIC is found by the MAC address. */
const guest = chosen<GuestFile>([netnsGuest, vmGuest], (value) =>
  typeof value === 'object' && value !== null && 'vm' in value ? vmGuest : netnsGuest,
);

const qmpPattern = checked((text) => {
  if (!isAbsolute(text)) return `"${text}" is not an absolute path`;
  return text.slice(0, text.lastIndexOf('/')).includes('*') ? 'only the last part of the path may have a *' : null;
});
const libvirtUri = checked((text) =>
  /^[a-z][a-z0-9+.-]*:\/\/\S*$/i.test(text) ? null : `"${text}" is no libvirt URI such as qemu:///system`,
).meta({ pattern: PATTERNS.libvirtUri });

export type HypervisorFile = { readonly kind: 'qmp'; readonly qmp: string } | { readonly kind: 'libvirt'; readonly libvirt: string };

const qmpHypervisor = z
  .strictObject({ qmp: qmpPattern.describe('path of the QMP sockets of virtual machines; the last part may have a `*`') })
  .transform((one): HypervisorFile => ({ kind: 'qmp', ...one }));
const libvirtHypervisor = z
  .strictObject({ libvirt: libvirtUri.describe('URI of a libvirt daemon, such as `qemu:///system`') })
  .transform((one): HypervisorFile => ({ kind: 'libvirt', ...one }));

const hypervisor = chosen<HypervisorFile>([qmpHypervisor, libvirtHypervisor], (value) =>
  typeof value === 'object' && value !== null && 'libvirt' in value ? libvirtHypervisor : qmpHypervisor,
);

const vectorCeiling = z.int().min(0).max(MAX_VECTORS).optional();
const ceilings = {
  vfs: z.int().min(0).max(ADAPTER_MAX_VFS).optional().describe('VFs that are handed out at once; absent: no matter how many'),
  queues: z.int().min(0).max(ADAPTER_MAX_QUEUES).optional().describe('their queues; absent: no matter how many'),
  vectors: vectorCeiling.describe('their MSI-X vectors; absent: no matter how many'),
};
/** Of several adapters together, or of vNICs on several. */
const MAX_SHARED = 1_000_000;
const shared = z.int().min(0).max(MAX_SHARED).optional();
const quota = z
  .strictObject({
    name: name.describe('what vNICs and adapters that share it call it'),
    vfs: shared.describe('VFs that they have at once; absent: no matter how many'),
    queues: shared.describe('their queues; absent: no matter how many'),
    vectors: vectorCeiling.describe('their MSI-X vectors; absent: no matter how many'),
  })
  .transform(({ name, ...ceilings }): QuotaSpec => ({ name, ceilings }));

const limits = z.strictObject({
  vfs: z.int().min(0).max(ADAPTER_MAX_VFS).prefault(ADAPTER_MAX_VFS).describe('VFs that are handed out at once'),
  queues: z.int().min(0).max(ADAPTER_MAX_QUEUES).prefault(ADAPTER_MAX_QUEUES).describe('queues of all VFs that are handed out'),
  vectors: vectorCeiling.describe('MSI-X vectors of all VFs that are handed out; absent: no matter how many'),
  per_pf: z.strictObject(ceilings).prefault({}).describe('the same for the VFs of each PF'),
});

const MAX_IDLE_SECONDS = 86_400;
const MAX_PRIORITY = 1000;
/** Mbit/s; beyond, a byte lasts for so few picoseconds that the rate would not be what was asked for. */
const MAX_VNIC_RATE = 100_000;

const policy = z.enum(['accelerated', 'software']);

const adapter = z.strictObject({
  name: name.describe('how commands and metrics call it; no other adapter has it'),
  uplink: device.describe('the PF\'s network interface, toward the wire'),
  bridge: device.describe('the Linux bridge of the software path, with the uplink and the taps as its ports'),
  limits: limits.prefault({}).describe('ceilings of this adapter'),
  quota: name.optional().describe('name of a quota that its VFs count against, for adapters that are ports of one card'),
  placement: z
    .enum(['pack', 'spread', 'near'])
    .prefault(DEFAULT_RULES.placement)
    .describe('which free VF is handed out: of the PF that has most handed out already, of the one that has fewest, or near the vNIC\'s NUMA node'),
  idle_seconds: z
    .number()
    .min(1)
    .max(MAX_IDLE_SECONDS)
    .prefault(DEFAULT_RULES.idleMs / 1000)
    .describe('a vNIC that has been idle for so long gives its VF up for one of higher priority'),
  vfs: z.array(vf).prefault([]).describe('what can be given to guests; none: its guests have the software path only'),
});

const vnic = z.strictObject({
  name: name.describe('how commands and metrics call it; no other vNIC has it'),
  mac: mac.describe('of the virtio NIC, and so of the VF; with its VLANs it names the vNIC in every frame'),
  vlan: vlan
    .prefault(0)
    .describe('`0`: untagged; `N`: the guest tags its frames itself; `{access: N}`: the guest\'s frames are untagged, on the wire they carry N; `{trunk: [..]}`: the guest tags with several ids, 0 stands for untagged'),
  addresses: addresses
    .optional()
    .describe(`IP addresses and prefixes that it may use as source, also of ARP and ND, up to ${MAX_PREFIXES} of each family; absent: not checked`),
  adapter: name.describe('name of the adapter that its frames leave by'),
  tap: device.optional().describe('its port in the bridge; of a virtual machine it is found by itself'),
  guest: guest.describe('whose NIC it is'),
  policy: policy.prefault('accelerated').describe('the path that it shall be on when nobody says otherwise'),
  max_rate: z.int().min(1).max(MAX_VNIC_RATE).optional().describe('Mbit/s that the guest may send on either path; absent: no limit'),
  quota: name.optional().describe('name of the quota that its VF counts against, such as its tenant\'s'),
  priority: z.int().min(-MAX_PRIORITY).max(MAX_PRIORITY).prefault(0).describe('one of higher priority gets the VF of an idle one of lower, when none is free'),
  numa_node: numaNode.optional().describe('where its guest runs, for `placement: near`; absent: the node that QEMU says its memory is bound to, or on whose CPUs alone it runs'),
  cut_through: cutThrough
    .prefault('auto')
    .describe('on the software path straight to the tap, past the bridge; `auto`: only for a tap that does not take aggregated TCP frames (`tx-tcp-segmentation`), which the bridge delivers whole'),
  reta: reta
    .prefault('equal')
    .describe(`share of each queue in the indirection table; queues beyond the list get nothing, and what no CPU reaches leaves its share to the others`),
  vf: vfSettings.optional().describe('how the PF is to treat a VF that is passed through to it; what is not said stays as it is'),
});

export const configSchema = z.strictObject({
  socket: socketPath.prefault('/run/unipath/unipath.sock').describe('control socket of unipathd; from the next start'),
  read_socket: socketPath.optional().describe('a second control socket, on which everything can be seen and nothing changed; from the next start'),
  pins: path.prefault('/sys/fs/bpf/unipath').describe('folder of its maps and programs, on a bpffs; from the next start'),
  state: path.prefault(STATE_FOLDER).describe('folder in which it is noted how VFs were before; from the next start'),
  metrics: z
    .strictObject({ listen: listen.describe('`ADDRESS:PORT`, `[IPv6]:PORT`, or a port, which then is reached from this machine only') })
    .optional()
    .describe('absent: metrics are had from the control socket only; from the next start'),
  flows_per_vnic: flowsPerVnic.prefault(4096).describe('slots for learnt flows that each vNIC has, a power of two; from the next start'),
  rss: rss.prefault({}).describe('receive-side scaling of the host'),
  patience: z
    .number()
    .min(1)
    .max(MAX_PATIENCE)
    .prefault(1)
    .describe('so many times longer than usual guests may take to take a VF, to let go of it, or to answer; from the next start'),
  xdp_mode: z
    .enum(['auto', 'native', 'generic'])
    .prefault('auto')
    .describe('`auto`: native, and generic where the driver refuses it; from the next start'),
  hypervisors: z.array(hypervisor).prefault([]).describe('where virtual machines are found; from the next start'),
  discover: z
    .strictObject({ policy: policy.prefault('accelerated').describe('of the vNICs that are found so') })
    .optional()
    .describe('present: every virtio NIC whose tap is in an adapter\'s bridge is a vNIC, named as its machine'),
  quotas: z.array(quota).prefault([]).describe('ceilings that several vNICs or adapters share'),
  adapters: z.array(adapter).prefault([]).describe('PFs, each with its bridge and its VFs'),
  vnics: z.array(vnic).prefault([]).describe('NICs of guests; with `discover` only those that are to be otherwise'),
});

/** The file's content, checked key by key and with its defaults. */
export type ConfigFile = z.output<typeof configSchema>;

/** Keys that may stand in the mapping at `path`; empty when none may. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let schema: unknown = configSchema;
  const inner = (): unknown => {
    while (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) schema = schema.unwrap();
    return schema;
  };
  for (const step of path) {
    const here = inner();
    if (here instanceof z.ZodObject) schema = (here.shape as Readonly<Record<string, unknown>>)[String(step)];
    else schema = here instanceof z.ZodArray ? here.element : undefined;
  }
  const here = inner();
  const choices = here instanceof z.core.$ZodType ? choicesOf(here) : null;
  return [...new Set((choices ?? [here]).flatMap(keysOf))];
}

/** Of a mapping, also of one that something is then made of. */
function keysOf(schema: unknown): string[] {
  if (schema instanceof z.ZodPipe) return keysOf(schema.in);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
