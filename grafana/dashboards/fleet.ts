/** All hosts: is everything as it should be, and if not, where? */
import { dashboard } from '../frame.js';
import { lines, number, table } from '../panels.js';
import { rate } from '../promql.js';


export const fleet = dashboard({
  uid: 'unipath-fleet',
  title: 'Fleet',
  description: 'All hosts with a unipathd: which are well, how many vNICs are accelerated, what is dropped and lost.',
  variables: [],
  rows: [
    {
      title: 'Now',
      panels: [
        number(
          {
            title: 'Hosts that are well',
            answer: 'Share of hosts whose uplink programs are attached and whose last reconcile succeeded. A host that cannot be scraped counts as not well.',
            unit: 'percentunit',
            queries: [{ expr: 'sum(unipath_up) / count(up{job="unipath"})', legend: 'well' }],
          },
          { goodFrom: 1 },
        ),
        number({ title: 'vNICs', answer: 'vNICs on all hosts.', unit: 'short', queries: [{ expr: 'count(unipath_vnic_info)', legend: 'vNICs' }] }),
        number(
          {
            title: 'Accelerated of those wanted',
            answer: 'vNICs that are accelerated, of those that are wanted so. The panel "Why not accelerated" has the reasons of the others.',
            unit: 'percentunit',
            queries: [
              {
                expr:
                  'sum(unipath_vnic_path{path="accelerated"} * on (instance, vnic) unipath_vnic_want{path="accelerated"})' +
                  ' / sum(unipath_vnic_want{path="accelerated"})',
                legend: 'accelerated',
              },
            ],
          },
          { goodFrom: 1 },
        ),
        number({
          title: 'Free VFs',
          answer: 'VFs that can be given to guests at once, on all adapters.',
          unit: 'short',
          queries: [{ expr: 'sum(unipath_adapter_vfs{state="free"})', legend: 'free' }],
        }),
        number(
          {
            title: 'Lost VFs',
            answer: 'VFs that nobody has and that are not where they should be.',
            unit: 'short',
            queries: [{ expr: 'sum(unipath_adapter_vfs{state="lost"})', legend: 'lost' }],
          },
          { badFrom: 1 },
        ),
        number(
          {
            title: 'Firing alerts',
            answer: "Alerts of unipath's rules that fire now.",
            unit: 'short',
            queries: [{ expr: 'sum(ALERTS{alertname=~"Unipath.+", alertstate="firing"}) or vector(0)', legend: 'firing' }],
          },
          { badFrom: 1 },
        ),
      ],
    },
    {
      title: 'Traffic',
      panels: [
        lines(
          {
            title: 'Frames by verdict',
            answer: 'What the packet programs decide: redirect (past the bridge), pass (to the bridge), drop (policy), held (until the guest hears again).',
            unit: 'pps',
            queries: [{ expr: rate('unipath_vnic_frames_total', 'verdict'), legend: '{{verdict}}' }],
          },
          true,
        ),
        lines({
          title: 'Bytes by host',
          answer: 'Bytes that a decision was taken about, from and to all vNICs of a host.',
          unit: 'Bps',
          queries: [{ expr: rate('unipath_vnic_bytes_total', 'instance'), legend: '{{instance}}' }],
        }),
        lines({
          title: 'Drops by reason',
          answer: 'Policy only: nothing is dropped to be fast. control: frames between the guest plug-in and unipathd, which are consumed.',
          unit: 'pps',
          queries: [{ expr: rate('unipath_vnic_frames_total{verdict="drop"}', 'reason'), legend: '{{reason}}' }],
        }),
        lines({
          title: 'Frames lost after the decision',
          answer: 'Redirected, and then not taken by the kernel or the device; by place and error. None is normal, some when a VF dies.',
          unit: 'pps',
          queries: [{ expr: rate('unipath_redirect_errors_total', 'instance, kind, error'), legend: '{{instance}} {{kind}} {{error}}' }],
        }),
      ],
    },
    {
      title: 'Paths and VFs',
      panels: [
        lines(
          {
            title: 'vNICs by path',
            answer: 'On which path vNICs are, by host.',
            unit: 'short',
            queries: [{ expr: 'sum by (instance, path) (unipath_vnic_path)', legend: '{{instance}} {{path}}' }],
          },
          true,
        ),
        lines(
          {
            title: 'Why not accelerated',
            answer: 'vNICs that are not accelerated, by reason; "unipath vnic show NAME" has it in words, with what would change it.',
            unit: 'short',
            queries: [{ expr: 'sum by (reason) (unipath_vnic_reason{reason!="none"})', legend: '{{reason}}' }],
          },
          true,
        ),
        lines(
          {
            title: 'VFs',
            answer: 'VFs of all adapters by what they are doing.',
            unit: 'short',
            queries: [{ expr: 'sum by (state) (unipath_adapter_vfs)', legend: '{{state}}' }],
          },
          true,
        ),
        table(
          {
            title: 'Hosts',
            answer: 'Every unipathd, with its version. A click on its name leads to its dashboard.',
            unit: 'short',
            width: 12,
            queries: [{ expr: 'unipath_build_info', legend: '' }],
          },
          { instance: 'Host', version: 'unipath', node_version: 'Node.js' },
          { column: 'instance', title: 'this host', url: '/d/unipath-host?var-instance=${__value.raw}&${__url_time_range}' },
        ),
      ],
    },
  ],
});
