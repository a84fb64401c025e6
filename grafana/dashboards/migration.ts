/** Guests that change their path or their host: where they are, how long it takes, what it costs. */
import { dashboard, vnicVariable } from '../frame.js';
import { bands, lines, number, PATHS } from '../panels.js';
import { medianAnd99 } from '../promql.js';

const THESE = 'vnic=~"$vnic"';

export const migration = dashboard({
  uid: 'unipath-migration',
  title: 'Migration',
  description: 'Changes of path and of host: where each vNIC is, how long changes take, and what was lost.',
  variables: [vnicVariable('label_values(unipath_vnic_path, vnic)', true)],
  rows: [
    {
      title: 'Where',
      panels: [
        bands(
          {
            title: 'Host and path of each vNIC',
            answer: 'A band for each host that a vNIC was on. During a migration both hosts may have one, for the destination is ready before the guest runs there.',
            unit: 'short',
            queries: [{ expr: `unipath_vnic_path{${THESE}, path="accelerated"}`, legend: '{{vnic}} on {{instance}}' }],
          },
          PATHS,
        ),
        lines(
          {
            title: 'Sent, by host',
            answer: 'Frames that the guests sent through each host: the moment at which a guest runs elsewhere.',
            unit: 'pps',
            width: 24,
            queries: [{ expr: `sum by (vnic, instance) (rate(unipath_vnic_transmit_frames_total{${THESE}}[$__rate_interval]))`, legend: '{{vnic}} on {{instance}}' }],
          },
          true,
        ),
      ],
    },
    {
      title: 'Changes of path',
      panels: [
        number({
          title: 'Changes today',
          answer: 'Changes of path that came about in the last 24 hours, of all vNICs.',
          unit: 'short',
          width: 6,
          queries: [{ expr: 'round(sum(increase(unipath_vnic_switch_duration_seconds_count{outcome="completed"}[1d])))', legend: 'changes' }],
        }),
        number(
          {
            title: 'Given up today',
            answer: 'Changes of path that were begun and given up in the last 24 hours; the guests went on on the path that they had.',
            unit: 'short',
            width: 6,
            queries: [{ expr: 'round(sum(increase(unipath_vnic_switch_duration_seconds_count{outcome="failed"}[1d])))', legend: 'given up' }],
          },
          { badFrom: 1 },
        ),
        number(
          {
            title: 'With a loss today',
            answer: 'Changes in which frames that were kept back never arrived, in the last 24 hours.',
            unit: 'short',
            width: 6,
            queries: [
              {
                expr: 'round(sum(increase(unipath_hold_lost_frames_count[1d])) - sum(increase(unipath_hold_lost_frames_bucket{le="0"}[1d])))',
                legend: 'with a loss',
              },
            ],
          },
          { badFrom: 1 },
        ),
        number(
          {
            title: 'Frames lost today',
            answer: 'Frames that were kept back in a change of path and never arrived, in the last 24 hours.',
            unit: 'short',
            width: 6,
            queries: [{ expr: 'round(sum(increase(unipath_hold_lost_frames_sum[1d])))', legend: 'lost' }],
          },
          { badFrom: 1 },
        ),
        lines({
          title: 'How long they take',
          answer: 'Until the guest is heard on its VF (accelerated), or until the VF is back in the pool (software). Of all vNICs.',
          unit: 's',
          queries: medianAnd99('unipath_vnic_switch_duration_seconds_bucket{outcome="completed"}', 'path'),
        }),
        lines({
          title: 'How many',
          answer: 'Changes that came about, and that were given up.',
          unit: 'short',
          queries: [
            { expr: 'sum by (path, outcome) (increase(unipath_vnic_switch_duration_seconds_count[$__rate_interval]))', legend: '{{path}} {{outcome}}' },
          ],
        }),
        lines({
          title: 'How long frames waited',
          answer: 'The first frame that was kept back in each change, of guests that hear on one path only (net_failover): their pause. By the path that they changed to.',
          unit: 's',
          queries: medianAnd99('unipath_hold_duration_seconds_bucket', 'path'),
        }),
        lines({
          title: 'Kept back',
          answer: 'Frames that were kept back, by what became of them. Stale and lost ones never arrived.',
          unit: 'short',
          queries: [{ expr: `sum by (result) (increase(unipath_hold_frames_total{${THESE}}[$__rate_interval]))`, legend: '{{result}}' }],
        }),
      ],
    },
    {
      title: 'Live migrations of virtual machines',
      panels: [
        number(
          {
            title: 'Completed today',
            answer: 'Migrations that came to an end as wanted, in the last 24 hours, counted where they left.',
            unit: 'short',
            queries: [{ expr: 'round(sum(increase(unipath_migrations_total{direction="outgoing", outcome="completed"}[1d])))', legend: 'completed' }],
          },
        ),
        number(
          {
            title: 'Failed today',
            answer: 'Migrations that failed in the last 24 hours; the guests stayed where they were.',
            unit: 'short',
            queries: [{ expr: 'round(sum(increase(unipath_migrations_total{direction="outgoing", outcome="failed"}[1d])))', legend: 'failed' }],
          },
          { badFrom: 1 },
        ),
        lines({
          title: 'By outcome',
          answer: 'As the hypervisor tells of them, on both sides.',
          unit: 'short',
          width: 8,
          queries: [{ expr: 'sum by (direction, outcome) (increase(unipath_migrations_total[$__rate_interval]))', legend: '{{direction}} {{outcome}}' }],
        }),
        lines({
          title: 'Time in each phase',
          answer: "Seconds that migrations spent in each of QEMU's phases; in device the guest stands still.",
          unit: 's',
          width: 8,
          queries: [
            { expr: 'sum by (direction, phase) (increase(unipath_migration_phase_duration_seconds_sum[$__rate_interval]))', legend: '{{direction}} {{phase}}' },
          ],
        }),
        lines({
          title: 'Announcements',
          answer: 'Frames that tell switches where a vNIC is now.',
          unit: 'short',
          width: 24,
          queries: [{ expr: `sum by (vnic, instance) (increase(unipath_announcements_total{${THESE}}[$__rate_interval]))`, legend: '{{vnic}} by {{instance}}' }],
        }),
      ],
    },
  ],
});
