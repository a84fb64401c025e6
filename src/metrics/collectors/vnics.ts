/** On which path each vNIC is, and why. */
import type { VnicBrief } from '../../control/controller.js';
import type { VnicPath, VnicPhase } from '../../core/model.js';
import { type Collector, VNICS_A_TURN } from '../collector.js';
import { Kept } from '../kept.js';
import type { Cell, Readings } from '../readings.js';
import { chunksOf } from '../turns.js';

const PATHS: readonly VnicPath[] = ['software', 'accelerated'];
const PHASES: readonly VnicPhase[] = ['absent', 'software', 'plugging', 'accelerated', 'draining'];

export function vnicCollector(readings: Readings, briefs: () => Iterable<VnicBrief>): Collector {
  const info = readings.gauge('unipath_vnic_info', 'What a vNIC is; join on vnic.', ['vnic', 'mac', 'vlan', 'adapter', 'tap']);
  const path = readings.gauge('unipath_vnic_path', '1 for the path that the vNIC is on, 0 for the other.', ['vnic', 'path']);
  const want = readings.gauge('unipath_vnic_want', '1 for the path that the vNIC is wanted on, 0 for the other.', ['vnic', 'path']);
  const phase = readings.gauge('unipath_vnic_phase', '1 for the phase that the vNIC is in, 0 for the others.', ['vnic', 'phase']);
  const reason = readings.gauge('unipath_vnic_reason', '1 for the reason why the vNIC is not accelerated; none when it is.', [
    'vnic',
    'reason',
  ]);
  const queues = readings.gauge('unipath_vnic_queues', 'Queues of the port of a path.', ['vnic', 'path']);
  const unreachable = readings.gauge('unipath_vnic_queues_unreachable', 'Queues of the port of a path that no CPU reaches.', [
    'vnic',
    'path',
  ]);

  /** What every vNIC of this name has. */
  const filler = (vnic: string): ((brief: VnicBrief) => void) => {
    const phases = PHASES.map((each) => ({ each, cell: phase.cell({ vnic, phase: each }) }));
    const paths = PATHS.map((each) => {
      const cell = (family: typeof path): Cell => family.cell({ vnic, path: each });
      return { each, path: cell(path), want: cell(want), queues: cell(queues), unreachable: cell(unreachable) };
    });
    // These have in their labels what seldom changes.
    let [identity, infoCell]: [string, Cell | null] = ['', null];
    let [why, reasonCell]: [string, Cell | null] = ['', null];
    return (brief) => {
      const { mac, vlans, adapter, tap } = brief;
      const shown = `${mac} ${vlans.join(',')} ${adapter} ${tap}`;
      if (infoCell === null || shown !== identity) [identity, infoCell] = [shown, info.cell({ vnic, mac, vlan: vlans.join(','), adapter, tap })];
      if (reasonCell === null || brief.reason !== why) [why, reasonCell] = [brief.reason, reason.cell({ vnic, reason: brief.reason })];
      infoCell.set(1);
      reasonCell.set(1);
      for (const { each, cell } of phases) cell.set(brief.phase === each ? 1 : 0);
      for (const cells of paths) {
        const port = cells.each === 'software' ? brief.tap_queues : brief.vf_queues;
        cells.path.set(brief.path === cells.each ? 1 : 0);
        cells.want.set(brief.want === cells.each ? 1 : 0);
        cells.queues.set(port?.queues ?? 0);
        cells.unreachable.set(port?.unreachable.length ?? 0);
      }
    };
  };
  const fillers = new Kept(filler);

  return {
    name: 'vnics',
    *collect() {
      for (const family of [info, path, want, phase, reason, queues, unreachable]) family.clear();
      for (const chunk of chunksOf(briefs(), VNICS_A_TURN)) {
        for (const brief of chunk) {
          fillers.of(brief.name)(brief);
        }
        yield;
      }
      fillers.letGo();
    },
  };
}
