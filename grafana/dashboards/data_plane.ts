/** What happens inside: decisions, queues, maps, programs, and how it is measured. */
import { dashboard, instanceVariable } from '../frame.js';
import { lines } from '../panels.js';
import { bitRate, quantile, rate } from '../promql.js';

const HERE = 'instance=~"$instance"';
const rateHere = (metric: string, by: string): string => rate(`${metric}{${HERE}}`, by);

export const dataPlane = dashboard({
  uid: 'unipath-data-plane',
  title: 'Data plane internals',
  description: 'What the packet programs decide and count, how full their maps are, how long they run, and what reading all of this costs.',
  variables: [instanceVariable(true)],
  rows: [
    {
      title: 'Decisions',
      panels: [
        lines(
          {
            title: 'Decisions by reason',
            answer: 'Of all vNICs; bpf/README.md has the reasons in the order in which they are decided.',
            unit: 'pps',
            queries: [{ expr: `${rateHere('unipath_vnic_frames_total', 'reason')} > 0`, legend: '{{reason}}' }],
          },
          true,
        ),
        lines({
          title: 'Frames of no vNIC',
          answer: 'For stations that are no vNIC here, broadcast and multicast: the bridge has them.',
          unit: 'pps',
          queries: [{ expr: `${rateHere('unipath_unknown_frames_total', 'reason')} > 0`, legend: '{{reason}}' }],
        }),
        lines({
          title: 'Bits of no vNIC',
          answer: 'The same in bits, by host.',
          unit: 'bps',
          queries: [{ expr: bitRate(`unipath_unknown_bytes_total{${HERE}}`, 'instance, verdict'), legend: '{{instance}} {{verdict}}' }],
        }),
        lines({
          title: 'Frames lost after the decision',
          answer: 'redirect: the kernel refused it; devmap: the device did not take it; cpumap: the queue of another CPU was full; exception: a program failed.',
          unit: 'pps',
          queries: [{ expr: rateHere('unipath_redirect_errors_total', 'kind, error'), legend: '{{kind}} {{error}}' }],
        }),
      ],
    },
    {
      title: 'Queues and CPUs',
      panels: [
        lines({
          title: 'Frames by queue',
          answer: 'Of all vNICs: a queue is chosen by choosing a CPU, so this is also how CPUs are loaded.',
          unit: 'pps',
          queries: [{ expr: rateHere('unipath_vnic_queue_frames_total', 'instance, queue'), legend: '{{instance}} {{queue}}' }],
        }),
        lines({
          title: 'Handed to another CPU',
          answer: 'Share of redirected frames that came in on a CPU which does not serve their queue.',
          unit: 'percentunit',
          queries: [
            { expr: `${rateHere('unipath_vnic_cpu_handovers_total', 'instance')} / ${rateHere('unipath_vnic_queue_frames_total', 'instance')}`, legend: '{{instance}}' },
          ],
        }),
        lines({
          title: 'Flow table',
          answer: 'Flows per second: learnt, moved to another queue by the guest, replaced because the slot was needed, expired.',
          unit: 'ops',
          width: 24,
          queries: ['learnt', 'moved', 'replaced', 'expired'].map((what) => ({ expr: rateHere(`unipath_vnic_flows_${what}_total`, 'instance'), legend: `{{instance}} ${what}` })),
        }),
      ],
    },
    {
      title: 'Maps and programs',
      panels: [
        lines({
          title: 'How full maps are',
          answer: 'Of the maps that can be full. vnic_slots refuses an address before it is full, when too many compete for the same slots.',
          unit: 'percentunit',
          queries: [{ expr: `max by (map) (unipath_bpf_map_entries{${HERE}} / unipath_bpf_map_max_entries{${HERE}})`, legend: '{{map}}' }],
        }),
        lines(
          {
            title: 'Where programs run',
            answer: 'Interfaces on which a packet program runs, by mode. In generic mode every frame costs more, and the kernel picks the queue itself.',
            unit: 'short',
            queries: [{ expr: `sum by (program, xdp_mode) (unipath_bpf_program_interfaces{${HERE}})`, legend: '{{program}} {{xdp_mode}}' }],
          },
          true,
        ),
        lines({
          title: 'Time per run',
          answer: 'Mean time of one run of a packet program. Measured only while sysctl kernel.bpf_stats_enabled is 1, which itself costs time.',
          unit: 's',
          queries: [{ expr: `${rateHere('unipath_bpf_program_run_seconds_total', 'program')} / ${rateHere('unipath_bpf_program_runs_total', 'program')}`, legend: '{{program}}' }],
        }),
        lines({
          title: 'Runs',
          answer: 'Runs of packet programs. Counted only while sysctl kernel.bpf_stats_enabled is 1.',
          unit: 'ops',
          queries: [{ expr: rateHere('unipath_bpf_program_runs_total', 'program'), legend: '{{program}}' }],
        }),
        lines({
          title: 'How late events are read',
          answer: 'From a packet program that tells of something until unipathd has read it; the map has changed already by then.',
          unit: 's',
          queries: [
            { expr: quantile(0.99, `unipath_event_delay_seconds_bucket{${HERE}}`, 'kind'), legend: '{{kind}}, 99 %' },
          ],
        }),
        lines({
          title: 'Lost events',
          answer: 'What packet programs had to tell and found no room for: unipathd did not run, or did not read in time. Paths are right all the same; it looks at the host.',
          unit: 'ops',
          queries: [{ expr: rateHere('unipath_events_lost_total', 'instance'), legend: '{{instance}}' }],
        }),
      ],
    },
    {
      title: 'Scrapes',
      panels: [
        lines({
          title: 'Time of collectors',
          answer: 'What reading these numbers costs unipathd at each scrape.',
          unit: 's',
          width: 8,
          queries: [{ expr: `max by (collector) (unipath_scrape_collector_duration_seconds{${HERE}})`, legend: '{{collector}}' }],
        }),
        lines({
          title: 'Longest turn of a scrape',
          answer: 'For so long at most a scrape kept unipathd from everything else: a few milliseconds, however many vNICs there are.',
          unit: 's',
          width: 8,
          queries: [{ expr: `unipath_scrape_longest_turn_seconds{${HERE}}`, legend: '{{instance}}' }],
        }),
        lines({
          title: 'Failed collectors',
          answer: 'Scrapes in which a collector failed; its numbers are missing then, and the log says why.',
          unit: 'short',
          width: 8,
          queries: [{ expr: `sum by (instance, collector) (increase(unipath_scrape_collector_errors_total{${HERE}}[$__rate_interval]))`, legend: '{{instance}} {{collector}}' }],
        }),
      ],
    },
  ],
});
