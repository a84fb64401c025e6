/** Results of a run that never happened, shaped like a real one: for the tests of what prints them. */
import type { Band, FrameCounts, RunEvent, RunResults, Series, StepResult } from '../../src/lab/results.js';

const PLAN: readonly [title: string, host: string, path: 'software' | 'accelerated', seconds: number][] = [
  ['software path', 'a', 'software', 5],
  ['VF plugged', 'a', 'accelerated', 6],
  ['VF unplugged', 'a', 'software', 5],
  ['VF plugged again', 'a', 'accelerated', 5],
  ['the VF dies without notice', 'a', 'software', 4],
  ['unipathd killed and restarted', 'a', 'accelerated', 7],
  ['re-homed to host b', 'b', 'software', 5],
  ['accelerated on host b', 'b', 'accelerated', 6],
  ['re-homed to host c, which has no VFs', 'c', 'software', 6],
  ['back on host a', 'a', 'accelerated', 6],
];

const frames = (sent: number, lost: number): FrameCounts => ({
  sent,
  received: sent - lost,
  lost,
  duplicated: 0,
  reordered: 0,
  corrupt: 0,
});

export function madeUpResults(change: { readonly failure?: string } = {}): RunResults {
  let at = 0;
  const bands: Band[] = [];
  const events: RunEvent[] = [];
  const steps = PLAN.map(([title, host, path, seconds], index): StepResult => {
    const fault = title.includes('dies');
    const fromMs = at;
    at += seconds * 1000;
    bands.push({ lane: 'host', fromMs, toMs: at, label: host, tone: 'place' });
    bands.push({ lane: 'g1', fromMs: fromMs + (index === 0 ? 0 : 120), toMs: at + 120, label: path, tone: path });
    bands.push({
      lane: 'g2',
      fromMs,
      toMs: at,
      label: index > 1 && index < 6 ? 'accelerated' : 'software',
      tone: index > 1 && index < 6 ? 'accelerated' : 'software',
    });
    events.push({
      atMs: fromMs + 100,
      title,
      detail: fault ? '3 frames lost' : `g1 is ${path} on host ${host}`,
      tone: fault ? 'fault' : 'change',
    });
    const sent = seconds * 6000;
    return {
      name: `step-${index}`,
      title,
      kind: fault ? 'fault' : 'planned',
      fromMs,
      toMs: at,
      where: {
        host,
        path,
        reason: path === 'accelerated' ? 'none' : host === 'c' ? 'adapter_without_vfs' : fault ? 'vf_lost' : 'policy_software',
      },
      frames: frames(sent, fault ? 3 : 0),
      flows: ['world to g1, IPv4', 'g1 to world, IPv6', 'g1 to g2'].map((name) => ({
        name,
        frames: frames(sent / 3, 0),
        longestGapMs: index * 1.3,
      })),
      framesPerSecond: 6000,
      switchTimes:
        index === 0 ? { receiveMs: null, transmitMs: null } : { receiveMs: 0.4 * index, transmitMs: index === 3 ? -0.2 : 0.31 * index },
      longestGapMs: index === 0 ? null : 2.4 * index,
      steering: [
        {
          guest: 'g1',
          ports:
            path === 'software'
              ? [{ port: 'tap', frames: [0, 0], unreachable: [] }]
              : [
                  { port: 'tap', frames: [0, 0], unreachable: [] },
                  host === 'b'
                    ? { port: 'vf', frames: [9000, 8000, 0, 0], unreachable: [2, 3] }
                    : { port: 'vf', frames: [9800, 11_200], unreachable: [] },
                ],
          ...(path === 'software' ? { rfs: 0, rss: 0, single: 0, bridge: sent } : { rfs: sent - 40, rss: 40, single: 0, bridge: 120 }),
        },
        { guest: 'g2', ports: [{ port: 'vf', frames: [3000, 1800], unreachable: [] }], rfs: 4700, rss: 100, single: 0, bridge: 0 },
      ],
      tcpBytes: seconds * 2_400_000,
      tcpLongestGapMs: 4 * index,
      redirectErrors: fault ? 5 : 0,
      lossAllowed: fault ? 200 : 0,
      lossReason: fault ? 'in flight' : '',
      failures: index === 2 && change.failure !== undefined ? [change.failure] : [],
    };
  });
  const series = (panel: string, name: string, unit: string, level: number, phase: number): Series => ({
    panel,
    name,
    unit,
    startMs: 0,
    binMs: 100,
    values: Array.from(
      { length: at / 100 },
      (_, index) => level + Math.sin(index / 7 + phase) * level * 0.02 + ((index * 7919 + phase * 31) % 13) * level * 0.004,
    ),
  });
  return {
    schema: 1,
    version: '0.1.0',
    startedAt: '2025-11-23T06:18:00.000Z',
    durationMs: at,
    quick: false,
    guests: 'netns',
    machine: { kernel: '6.18.44', cpus: 2, node: 'v20.20.2' },
    steps,
    series: [
      series('World and g1', 'world to g1', 'frames/s', 2400, 0),
      series('World and g1', 'g1 to world', 'frames/s', 2100, 2),
      series('g1 and g2', 'g1 to g2', 'frames/s', 500, 1),
      series('g1 and g2', 'g2 to g1', 'frames/s', 430, 3),
      series('TCP stream', 'world to g1', 'Mbit/s', 16, 1),
      series('TCP stream', 'g1 to world', 'Mbit/s', 14, 4),
    ],
    bands,
    events,
    tcp: { bytes: 262_144_000, wrongWords: 0, alive: true },
    notes: ['host b: no CPU reaches queues 2 and 3 of its VFs; no flow is steered to them'],
    failures: [],
  };
}
