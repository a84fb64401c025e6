/** From what the endpoints recorded to the lines of the chart. Pure. */
import type { PlannedFlow } from '../flows.js';
import type { Band, Series } from '../results.js';
import type { VnicPath } from '../../core/model.js';
import type { StreamName } from '../traffic/protocol.js';
import { sumTimelines, type TimelineData } from '../traffic/timeline.js';
import type { Transition } from './path_follower.js';

export interface RecordedStream {
  readonly flow: number;
  readonly stream: StreamName;
  readonly timeline: TimelineData;
}

const PANELS: readonly { readonly panel: string; readonly pairs: readonly (readonly [from: string, to: string])[] }[] = [
  {
    panel: 'World and g1',
    pairs: [
      ['world', 'g1'],
      ['g1', 'world'],
    ],
  },
  {
    panel: 'g1 and its neighbour g2',
    pairs: [
      ['g1', 'g2'],
      ['g2', 'g1'],
    ],
  },
];

/** Frames by direction: an echo runs against its flow. @param startMs CLOCK_MONOTONIC that is time 0 of the run */
export function frameSeries(flows: readonly PlannedFlow[], recorded: readonly RecordedStream[], startMs: number): Series[] {
  return PANELS.flatMap(({ panel, pairs }) =>
    pairs.flatMap(([from, to]) => {
      const streams = recorded.filter(({ flow, stream }) => {
        const planned = flows.find(({ spec }) => spec.id === flow);
        if (planned === undefined) return false;
        return stream === 'forward' ? planned.from === from && planned.to === to : planned.from === to && planned.to === from;
      });
      const timeline = sumTimelines(streams.map((stream) => stream.timeline));
      if (timeline.packets.length === 0) return [];
      const values = timeline.packets.map((packets) => (packets * 1000) / timeline.binMs);
      return [{ panel, name: `${from} to ${to}`, unit: 'frames/s', startMs: timeline.startMs - startMs, binMs: timeline.binMs, values }];
    }),
  );
}

/** Bytes of one direction; empty when nobody noted when they arrived. @param startMs CLOCK_MONOTONIC that is time 0 of the run */
export function tcpSeries(name: string, timeline: TimelineData, startMs: number): Series[] {
  if (timeline.bytes.length === 0) return [];
  const values = timeline.bytes.map((bytes) => (bytes * 8) / (timeline.binMs * 1000));
  return [{ panel: 'TCP stream', name, unit: 'Mbit/s', startMs: timeline.startMs - startMs, binMs: timeline.binMs, values }];
}

/** The paths of one guest as coloured bands from 0 to endMs. */
export function pathBands(lane: string, first: VnicPath, transitions: readonly Transition[], startMs: number, endMs: number): Band[] {
  const bands: Band[] = [];
  let path = first;
  let fromMs = 0;
  for (const { to, atNs } of transitions) {
    const atMs = Math.min(Math.max(atNs / 1e6 - startMs, 0), endMs);
    if (atMs > fromMs) bands.push({ lane, fromMs, toMs: atMs, label: path, tone: path });
    path = to;
    fromMs = atMs;
  }
  bands.push({ lane, fromMs, toMs: endMs, label: path, tone: path });
  return bands;
}
