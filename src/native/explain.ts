/** What an errno means for a certain operation, where the bare name would leave the reader guessing. */
import { E } from './errno.js';

const privileges = 'needs root (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON)';

/** One half-sentence with the remedy, or null when the code says it all. */
export function explain(operation: string, errno: number): string | null {
  if (errno === E.PERM) return operation === 'bpf_link_update' ? 'the link does not run the expected program' : privileges;
  if (operation === 'bpf_obj_pin' && errno === E.EXIST) return 'the pin exists already';
  if (operation === 'bpf_obj_pin' && errno === E.INVAL) return 'the folder is not on a bpffs';
  if (operation === 'bpf_obj_get' && errno === E.NOENT) return 'no such pin';
  if (operation === 'bpf_link_update' && errno === E.NOLINK) return 'the device of this link is gone';
  return null;
}
