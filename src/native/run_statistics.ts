/** The kernel measures how often BPF programs run and for how long, only while somebody asks it to. */
import { Descriptor } from './descriptor.js';
import { check } from './errors.js';
import { libbpf } from './libbpf.js';

/** enum bpf_stats_type, include/uapi/linux/bpf.h */
const BPF_STATS_RUN_TIME = 0;

/** Of all programs of the machine, until it is closed or this process ends; each run then costs some tens of ns more. Sysctls stay as they are. */
export function measureRuns(): Descriptor {
  return new Descriptor(check('bpf_enable_stats', libbpf().bpf_enable_stats(BPF_STATS_RUN_TIME)), 'run statistics');
}
