/** All hosts: is everything as it should be, and if not, where? */
import { dashboard } from '../frame.js';
import { lines, type Meaning, number, table, TO_HOST, TO_VNIC } from '../panels.js';
import { bitRate, largest, rate } from '../promql.js';

const WELL: readonly Meaning[] = [
  { value: 0, text: 'not well', color: 'red' },
  { value: 1, text: 'well', color: 'green' },
];

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
        table(
          {
            title: 'What is wrong',
            answer:
              "Alerts of unipath's rules that fire now; docs/troubleshooting.md has a section of the same name for each: what it means, how to find out more, what to do.",
            unit: 'short',
            width: 14,
            queries: [
              {
                expr:
                  'sum by (alertname, severity, instance, adapter, vnic, reason) (ALERTS{alertname=~"Unipath.+", alertstate="firing"})' +
                  ' or on () label_replace(vector(0), "alertname", "nothing", "", "")',
                legend: '',
              },
            ],
          },
          { alertname: 'Alert', severity: 'Severity', instance: 'Host', adapter: 'Adapter', vnic: 'vNIC', reason: 'Reason' },
          { links: [TO_HOST, TO_VNIC] },
        ),
        table(
          {
            title: 'Hosts',
            answer: 'Every host that shall be scraped; one that does not answer is not well, and has no versions. A click on its name leads to its dashboard.',
            unit: 'short',
            width: 10,
            queries: [
              {
                expr:
                  'unipath_up * on (instance) group_left (version, node_version, kernel) unipath_build_info' +
                  ' or on (instance) up{job="unipath"} == 0',
                legend: '',
              },
            ],
          },
          { instance: 'Host', Value: 'State', version: 'unipath', kernel: 'Linux', node_version: 'Node.js' },
          { links: [TO_HOST], meanings: WELL },
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
          title: 'Bits by host',
          answer: 'What a decision was taken about, from and to all vNICs of a host. The 12 busiest hosts.',
          unit: 'bps',
          queries: [{ expr: largest(bitRate('unipath_vnic_bytes_total', 'instance')), legend: '{{instance}}' }],
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
            answer: 'On which path vNICs are, on all hosts.',
            unit: 'short',
            queries: [{ expr: 'sum by (path) (unipath_vnic_path)', legend: '{{path}}' }],
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
        lines({
          title: 'Lost in changes of path',
          answer: 'Frames that were, or were to be, kept back while a guest changed its path, and never arrived; by host. None is normal.',
          unit: 'short',
          queries: [
            {
              expr:
                'sum by (instance) (increase(unipath_hold_frames_total{result=~"stale|lost"}[$__rate_interval]))' +
                ' + sum by (instance) (increase(unipath_vnic_frames_total{reason="drop_hold_full"}[$__rate_interval]))',
              legend: '{{instance}}',
            },
          ],
        }),
      ],
    },
  ],
});
