/** What an errno means for a certain operation, where the bare name would leave the reader guessing. */
import { E } from './errno.js';

const byOperation: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  bpf_obj_pin: { [E.EXIST]: 'the pin exists already', [E.INVAL]: 'the folder is not on a bpffs' },
  bpf_obj_get: { [E.NOENT]: 'no such pin', [E.INVAL]: 'not a pin of this kind' },
  bpf_link_create: {
    [E.INVAL]: 'no such device in this network namespace, or the program cannot be attached there',
    [E.OPNOTSUPP]: 'the driver cannot do this; generic XDP works on every device',
    [E.RANGE]: 'the MTU of the device is too large for native XDP',
  },
  bpf_link_update: { [E.PERM]: 'the link does not run the expected program', [E.NOLINK]: 'the device of this link is gone' },
};

/** Half a sentence on the cause or the remedy, or null when the code says it all. */
export function explain(operation: string, errno: number): string | null {
  const known = byOperation[operation]?.[errno];
  if (known !== undefined) return known;
  if (errno === E.PERM && process.getuid?.() !== 0) return 'needs root (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON)';
  return null;
}
