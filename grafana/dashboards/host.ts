/** One host: its adapters, its vNICs, its unipathd. */
import { dashboard, instanceVariable, vnicVariable } from '../frame.js';
import { bands, lines, type Meaning, number, PATHS, table } from '../panels.js';
import { largest, medianAnd99, rate } from '../promql.js';

const HERE = 'instance=~"$instance"';
const THESE = `${HERE}, vnic=~"$vnic"`;

const YES: readonly Meaning[] = [
  { value: 0, text: 'no', color: 'red' },
  { value: 1, text: 'yes', color: 'green' },
];

export const host = dashboard({
  uid: 'unipath-host',
  title: 'Host',
  description: 'One host: its adapters and their VFs, its vNICs, and how its unipathd does.',
  variables: [instanceVariable(false), vnicVariable('label_values(unipath_vnic_path{instance=~"$instance"}, vnic)', true)],
  rows: [
    {
      title: 'Now',
      panels: [
        number(
          {
            title: 'Well',
            answer: 'Every uplink program is attached, and the last reconcile succeeded.',
            unit: 'short',
            queries: [{ expr: `unipath_up{${HERE}}`, legend: 'well' }],
          },
          { goodFrom: 1, meanings: YES },
        ),
        number(
          {
            title: 'Since the last reconcile',
            answer: 'Time since the host was last looked at and brought into step. Looks come every two seconds, and on events.',
            unit: 's',
            queries: [{ expr: `unipath_last_reconcile_age_seconds{${HERE}}`, legend: 'age' }],
          },
          { badFrom: 10 },
        ),
        number({ title: 'vNICs', answer: 'vNICs of this host.', unit: 'short', queries: [{ expr: `count(unipath_vnic_info{${HERE}})`, legend: 'vNICs' }] }),
        number(
          {
            title: 'Configuration accepted',
            answer: 'No, when the last attempt to read the configuration again was refused; the one before is in force then.',
            unit: 'short',
            queries: [{ expr: `unipath_config_last_reload_successful{${HERE}}`, legend: 'accepted' }],
          },
          { goodFrom: 1, meanings: YES },
        ),
        number({
          title: 'Virtual machines',
          answer: 'That were found and can be asked. Guests that are network namespaces do not count.',
          unit: 'short',
          queries: [{ expr: `unipath_vms{${HERE}}`, legend: 'machines' }],
        }),
        number(
          {
            title: 'Machines out of reach',
            answer: 'Virtual machines that are there and cannot be asked: their vNICs stay on the path that they are on.',
            unit: 'short',
            queries: [{ expr: `unipath_vms_unreachable{${HERE}}`, legend: 'out of reach' }],
          },
          { badFrom: 1 },
        ),
      ],
    },
    {
      title: 'Adapters',
      panels: [
        table(
          {
            title: 'Adapters',
            answer: 'Uplink, bridge, and the mode in which the uplink program runs. In generic mode the kernel picks the queue itself, and every frame costs more.',
            unit: 'short',
            width: 8,
            queries: [{ expr: `unipath_adapter_info{${HERE}}`, legend: '' }],
          },
          { adapter: 'Adapter', uplink: 'Uplink', bridge: 'Bridge', xdp_mode: 'XDP' },
        ),
        lines(
          {
            title: 'VFs',
            answer: 'VFs by what they are doing, and how many may be handed out at once.',
            unit: 'short',
            width: 8,
            queries: [
              { expr: `sum by (adapter, state) (unipath_adapter_vfs{${HERE}})`, legend: '{{adapter}} {{state}}' },
              { expr: `unipath_adapter_vfs_limit{${HERE}}`, legend: '{{adapter}} limit' },
            ],
          },
        ),
        lines({
          title: 'Budgets',
          answer: 'Queues, MSI-X vectors and quotas: how much is handed out, of what may be.',
          unit: 'percentunit',
          width: 8,
          queries: [
            { expr: `unipath_adapter_queues_used{${HERE}} / unipath_adapter_queues_limit{${HERE}}`, legend: '{{adapter}} queues' },
            { expr: `unipath_adapter_vectors_used{${HERE}} / unipath_adapter_vectors_limit{${HERE}}`, legend: '{{adapter}} MSI-X' },
            { expr: `unipath_quota_used{${HERE}} / unipath_quota_limit{${HERE}}`, legend: '{{quota}} {{resource}}' },
          ],
        }),
      ],
    },
    {
      title: 'vNICs',
      panels: [
        bands(
          {
            title: 'Path of each vNIC',
            answer: 'Software path or VF, over time. A vNIC that is on another host has no band here. Of very many, choose some above.',
            unit: 'short',
            queries: [{ expr: `unipath_vnic_path{${THESE}, path="accelerated"}`, legend: '{{vnic}}' }],
          },
          PATHS,
        ),
        lines({
          title: 'Sent by guests',
          answer: 'Frames that each guest sent, by the path on which it did. The 12 busiest.',
          unit: 'pps',
          queries: [{ expr: largest(rate(`unipath_vnic_transmit_frames_total{${THESE}}`, 'vnic, path')), legend: '{{vnic}} {{path}}' }],
        }),
        lines({
          title: 'Redirected to guests',
          answer: 'Frames that took the way past the bridge to each guest, by path; what the bridge carries is not in it. The 12 busiest.',
          unit: 'pps',
          queries: [{ expr: largest(rate(`unipath_vnic_queue_frames_total{${THESE}}`, 'vnic, path')), legend: '{{vnic}} {{path}}' }],
        }),
        lines({
          title: 'Drops',
          answer: 'The 12 largest, by vNIC and reason: spoofed sources, frames that there was no room to keep back, frames of the guest plug-in.',
          unit: 'pps',
          queries: [{ expr: largest(rate(`unipath_vnic_frames_total{${THESE}, verdict="drop"}`, 'vnic, reason')), legend: '{{vnic}} {{reason}}' }],
        }),
        lines({
          title: 'Frames of no vNIC',
          answer: 'What came in on an uplink or a port and belongs to no vNIC: the bridge has it.',
          unit: 'pps',
          queries: [{ expr: `${rate(`unipath_unknown_frames_total{${HERE}}`, 'reason')} > 0`, legend: '{{reason}}' }],
        }),
      ],
    },
    {
      title: 'Control plane',
      panels: [
        lines({
          title: 'Events',
          answer: 'What unipathd tells of ("unipath monitor"), by kind.',
          unit: 'ops',
          queries: [{ expr: rate(`unipath_events_total{${HERE}}`, 'kind'), legend: '{{kind}}' }],
        }),
        lines({
          title: 'Looks at the host',
          answer: 'How long one look and its planning take.',
          unit: 's',
          queries: medianAnd99(`unipath_reconcile_duration_seconds_bucket{${HERE}}`),
        }),
        lines({
          title: 'From an event until all is in step',
          answer: 'From an event or a command until maps, links and guests are in step and nothing is left to do.',
          unit: 's',
          queries: medianAnd99(`unipath_reconcile_settle_duration_seconds_bucket{${HERE}}`),
        }),
        lines({
          title: 'Failed looks',
          answer: 'Looks that ended in an error; the log says which.',
          unit: 'ops',
          queries: [{ expr: `rate(unipath_reconcile_duration_seconds_count{${HERE}, outcome="failed"}[$__rate_interval])`, legend: 'failed' }],
        }),
      ],
    },
    {
      title: 'Process',
      panels: [
        lines({
          title: 'CPU',
          answer: 'Share of one CPU that unipathd uses.',
          unit: 'percentunit',
          width: 8,
          queries: [{ expr: `rate(process_cpu_seconds_total{${HERE}}[$__rate_interval])`, legend: 'CPU' }],
        }),
        lines({
          title: 'Memory',
          answer: 'Resident memory of unipathd.',
          unit: 'bytes',
          width: 8,
          queries: [{ expr: `process_resident_memory_bytes{${HERE}}`, legend: 'resident' }],
        }),
        lines({
          title: 'Event loop',
          answer: 'How late timers of unipathd are, 99 %: while it waits, nothing is answered.',
          unit: 's',
          width: 8,
          queries: [{ expr: `nodejs_eventloop_lag_p99_seconds{${HERE}}`, legend: 'lag' }],
        }),
      ],
    },
  ],
});
