/** One vNIC: where it is and why, what it sends and gets, on which queues. */
import { dashboard, instanceVariable, vnicVariable } from '../frame.js';
import { bands, lines, number, table, TO_HOST, type Meaning } from '../panels.js';
import { bitRate, rate } from '../promql.js';

const THIS = 'instance=~"$instance", vnic=~"$vnic"';

const STATE: readonly Meaning[] = [
  { value: 0, text: 'no', color: 'text' },
  { value: 1, text: 'yes', color: 'green' },
];

export const vnic = dashboard({
  uid: 'unipath-vnic',
  title: 'vNIC',
  description: 'One vNIC: path and reason, frames in both directions, queues, learnt flows, drops, and what its changes of path cost.',
  variables: [instanceVariable(true), vnicVariable('label_values(unipath_vnic_path{instance=~"$instance"}, vnic)', false)],
  rows: [
    {
      title: 'Now',
      panels: [
        number(
          { title: 'Path', answer: 'On which path it is.', unit: 'short', queries: [{ expr: `unipath_vnic_path{${THIS}} == 1`, legend: '{{path}}' }] },
          { names: true },
        ),
        number(
          { title: 'Wanted', answer: 'On which path it is wanted.', unit: 'short', queries: [{ expr: `unipath_vnic_want{${THIS}} == 1`, legend: '{{path}}' }] },
          { names: true },
        ),
        number(
          {
            title: 'Reason',
            answer: 'Why it is not accelerated; none when it is. "unipath vnic show NAME" has it in words.',
            unit: 'short',
            width: 6,
            queries: [{ expr: `unipath_vnic_reason{${THIS}}`, legend: '{{reason}}' }],
          },
          { names: true },
        ),
        table(
          {
            title: 'Identity',
            answer: 'What it is, and on which host.',
            unit: 'short',
            width: 10,
            height: 4,
            queries: [{ expr: `unipath_vnic_info{${THIS}}`, legend: '' }],
          },
          { instance: 'Host', mac: 'MAC address', vlan: 'VLANs', adapter: 'Adapter', tap: 'Tap' },
          { links: [TO_HOST] },
        ),
        bands(
          {
            title: 'Phases',
            answer: 'software, plugging (given a VF, not heard there yet), accelerated, draining (its VF is being taken back), absent (something is missing).',
            unit: 'short',
            queries: [{ expr: `unipath_vnic_phase{${THIS}}`, legend: '{{instance}} {{phase}}' }],
          },
          STATE,
        ),
      ],
    },
    {
      title: 'Traffic',
      panels: [
        lines({
          title: 'Sent, frames',
          answer: 'Frames that the guest sent, by the path on which it did.',
          unit: 'pps',
          queries: [{ expr: rate(`unipath_vnic_transmit_frames_total{${THIS}}`, 'path'), legend: '{{path}}' }],
        }),
        lines({
          title: 'Sent, bits',
          answer: 'Bits that the guest sent, by the path on which it did.',
          unit: 'bps',
          queries: [{ expr: bitRate(`unipath_vnic_transmit_bytes_total{${THIS}}`, 'path'), legend: '{{path}}' }],
        }),
        lines({
          title: 'Got, frames',
          answer: "Frames that its ports took for the guest, redirected or by the bridge. Of a VF behind the adapter's own switch only the adapter knows.",
          unit: 'pps',
          queries: [{ expr: rate(`unipath_port_delivered_frames_total{${THIS}}`, 'path'), legend: '{{path}}' }],
        }),
        lines({
          title: 'Got, bits',
          answer: 'The same in bits.',
          unit: 'bps',
          queries: [{ expr: bitRate(`unipath_port_delivered_bytes_total{${THIS}}`, 'path'), legend: '{{path}}' }],
        }),
        lines(
          {
            title: 'Decisions, frames',
            answer: 'Frames from it and for it by what was decided and why; bpf/README.md has the reasons in the order in which they are decided.',
            unit: 'pps',
            queries: [{ expr: `${rate(`unipath_vnic_frames_total{${THIS}}`, 'reason')} > 0`, legend: '{{reason}}' }],
          },
          true,
        ),
        lines(
          {
            title: 'Decisions, bits',
            answer: 'The same in bits.',
            unit: 'bps',
            queries: [{ expr: `${bitRate(`unipath_vnic_bytes_total{${THIS}}`, 'reason')} > 0`, legend: '{{reason}}' }],
          },
          true,
        ),
      ],
    },
    {
      title: 'Queues and flows',
      panels: [
        lines({
          title: 'Frames by queue',
          answer: 'Frames redirected to each queue of the guest. In legacy SR-IOV mode the VF picks its queue itself; then these are of its tap alone.',
          unit: 'pps',
          queries: [{ expr: rate(`unipath_vnic_queue_frames_total{${THIS}}`, 'path, queue'), legend: '{{path}} {{queue}}' }],
        }),
        lines({
          title: 'Imbalance',
          answer: 'Frames of the busiest queue against the mean of all that a CPU reaches: 1 is even, the number of queues is all on one.',
          unit: 'short',
          queries: [{ expr: `instance_vnic_path:unipath_vnic_queue_imbalance:ratio_rate5m{${THIS}}`, legend: '{{instance}} {{path}}' }],
        }),
        lines({
          title: 'RFS hits',
          answer: 'Share of frames for the guest that go to the queue on which it sends the flow itself, of those whose queue was chosen.',
          unit: 'percentunit',
          queries: [{ expr: `instance_vnic:unipath_vnic_rfs_hit:ratio_rate5m{${THIS}}`, legend: '{{instance}}' }],
        }),
        lines({
          title: 'Flows',
          answer: 'Learnt from what the guest sends; moved to another queue by it; replaced because the slot was needed; expired because it was quiet.',
          unit: 'ops',
          queries: ['learnt', 'moved', 'replaced', 'expired'].map((what) => ({
            expr: `sum(rate(unipath_vnic_flows_${what}_total{${THIS}}[$__rate_interval]))`,
            legend: what,
          })),
        }),
        lines({
          title: 'Handed to another CPU',
          answer: 'Frames that came in on a CPU which does not serve their queue, and were handed over.',
          unit: 'pps',
          queries: [{ expr: `sum(rate(unipath_vnic_cpu_handovers_total{${THIS}}[$__rate_interval]))`, legend: 'handed over' }],
        }),
        lines({
          title: 'Queues that no CPU reaches',
          answer: 'A port with more queues than the host has CPUs has queues that nothing is steered to.',
          unit: 'short',
          queries: [{ expr: `unipath_vnic_queues_unreachable{${THIS}}`, legend: '{{instance}} {{path}}' }],
        }),
      ],
    },
    {
      title: 'Trouble',
      panels: [
        lines({
          title: 'Sent and dropped',
          answer: "By the path on which the guest sent it: its source (MAC address, VLAN, or, where listed, IP, ARP or ND sender) is not its own, or it sends more than its max_rate.",
          unit: 'pps',
          queries: [{ expr: rate(`unipath_vnic_transmit_drops_total{${THIS}}`, 'path, reason'), legend: '{{path}} {{reason}}' }],
        }),
        lines({
          title: 'Not taken by its ports',
          answer: 'Frames for the guest that the port of a path dropped, mostly because its queue was full: the guest does not keep up.',
          unit: 'pps',
          queries: [{ expr: rate(`unipath_port_dropped_frames_total{${THIS}}`, 'path'), legend: '{{path}}' }],
        }),
        lines({
          title: 'Changes of path',
          answer: 'By the guest itself, by transmitting on the other path. Many in a row: something is wrong with its VF or its driver.',
          unit: 'short',
          queries: [{ expr: `sum(increase(unipath_vnic_path_changes_total{${THIS}}[$__rate_interval]))`, legend: 'changes' }],
        }),
        lines({
          title: 'Kept back while the path changes',
          answer: 'Frames for a guest that hears on neither path meanwhile, by what became of them. Stale and lost ones never arrived.',
          unit: 'short',
          queries: [{ expr: `sum by (path, result) (increase(unipath_hold_frames_total{${THIS}}[$__rate_interval]))`, legend: '{{path}} {{result}}' }],
        }),
      ],
    },
  ],
});
