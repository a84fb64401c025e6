/** The shape of the configuration file, key by key. What concerns several keys at once is in check.ts. */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { parseMacAddress } from '../core/model.js';
import { RSS_KEY_SIZE } from '../core/limits.js';
import { interfaceNameProblem, netnsNameProblem } from '../host/names.js';

/** Ceilings of one adapter, whatever the file says. */
export const MAX_VFS_PER_ADAPTER = 254;
export const MAX_QUEUES_PER_ADAPTER = 2048;
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

const mac = z.string().transform((text, context) => {
  try {
    return parseMacAddress(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** "HOST:PORT", "[IPv6]:PORT", or a port alone, which then is reached from this machine only. */
const listen = z.union([z.string(), z.number()]).transform((value, context) => {
  const [, bracketed, host, port = ''] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):)?([0-9]{1,5})$/.exec(String(value)) ?? [];
  if (port === '' || Number(port) < 1 || Number(port) > 65_535) {
    context.addIssue({ code: 'custom', message: `"${value}" is not an address and port such as 127.0.0.1:9435 or [::1]:9435` });
    return z.NEVER;
  }
  return { host: bracketed ?? host ?? '127.0.0.1', port: Number(port) };
});

const rssKey = z.string().transform((text, context) => {
  if (text === 'random') return text;
  const digits = RSS_KEY_SIZE * 2;
  if (!/^[0-9a-fA-F]*$/.test(text) || text.length !== digits) {
    context.addIssue({ code: 'custom', message: `must be "random" or ${digits} hexadecimal digits; these are ${text.length} characters` });
    return z.NEVER;
  }
  if (/^0*$/.test(text)) {
    context.addIssue({ code: 'custom', message: 'a key of zeros would put every flow on one queue' });
    return z.NEVER;
  }
  return Buffer.from(text, 'hex');
});

const isPowerOfTwo = (value: number): boolean => (value & (value - 1)) === 0;
const flowsPerVnic = z
  .int()
  .min(MIN_FLOWS_PER_VNIC)
  .max(MAX_FLOWS_PER_VNIC)
  .refine(isPowerOfTwo, { error: 'must be a power of two, such as 4096' });

const vf = z.strictObject({ port: device, device });

const limits = z.strictObject({
  vfs: z.int().min(0).max(MAX_VFS_PER_ADAPTER).default(MAX_VFS_PER_ADAPTER),
  queues: z.int().min(0).max(MAX_QUEUES_PER_ADAPTER).default(MAX_QUEUES_PER_ADAPTER),
});

const adapter = z.strictObject({
  name,
  uplink: device,
  bridge: device,
  limits: limits.default({ vfs: MAX_VFS_PER_ADAPTER, queues: MAX_QUEUES_PER_ADAPTER }),
  vfs: z.array(vf).default([]),
});

const vnic = z.strictObject({
  name,
  mac,
  vlan: z.int().min(0).max(4094).default(0),
  adapter: name,
  tap: device,
  guest: z.strictObject({ netns }),
  policy: z.enum(['accelerated', 'software']).default('accelerated'),
  cut_through: z.boolean().default(false),
});

export const configSchema = z.strictObject({
  socket: socketPath.default('/run/unipath/unipath.sock'),
  pins: path.default('/sys/fs/bpf/unipath'),
  metrics: z.strictObject({ listen }).optional(),
  flows_per_vnic: flowsPerVnic.default(4096),
  rss_key: rssKey.default('random'),
  xdp_mode: z.enum(['auto', 'native', 'generic']).default('auto'),
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
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}
