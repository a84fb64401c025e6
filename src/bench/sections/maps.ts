/**
 * Programming maps: the same rows from TypeScript, encoded and written in batches by a process that runs already, and by
 * `bpftool batch`, whose start is part of it as it would be for its user; writing the batch file is not.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContractLimit, type Flow, flowCodec, type Steering, steeringCodec } from '../../../maps/generated/contract.js';
import { type Codec, encode, u32 } from '../../btf/codec.js';
import { toSteering } from '../../dataplane/steering_row.js';
import { run } from '../../host/exec.js';
import { Bed, QUEUES } from '../bed.js';
import { evenSteering } from '../even_steering.js';
import { measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { ifindexOf, NAMES } from '../stage.js';

const STEERING_ROWS = ContractLimit.MAX_VNICS * ContractLimit.PORTS_PER_VNIC;
const FLOW_ROWS = 2048;
const ROWS = STEERING_ROWS + FLOW_ROWS;
const WARM_UPS = 10;

/** Other contents every time. */
const steeringRow = (row: number, turn: number): Steering => toSteering(evenSteering(QUEUES, (row + turn) % 2 === 0 ? [0, 1] : [1, 0]));
const flowRow = (row: number, turn: number): Flow => {
  const record = { tag: (row * 2654435761) % 2 ** 32, seen: turn & 0xffff, queue: row & 1, valid: 1 };
  return { learnt: record, steered: record };
};

function hexOf<T>(codec: Codec<T>, value: T): string {
  return Array.from(encode(codec, value), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

export const maps: Section = {
  raise: () => Promise.resolve(),

  async measure({ netns, cpu, rounds, object }) {
    const uplink = await ifindexOf(netns.host, NAMES.uplink);
    const bed = await Bed.prepare(object, { uplink, port: uplink });
    const folder = mkdtempSync(join(tmpdir(), 'unipath-bench-'));
    try {
      const { steerings, flows } = bed;
      let turn = 0;
      const byTypeScript = (): number => {
        turn++;
        const steeringRows = Array.from({ length: STEERING_ROWS }, (_, row) => [row, steeringRow(row, turn)] as const);
        const flowRows = Array.from({ length: FLOW_ROWS }, (_, row) => [row, flowRow(row, turn)] as const);
        const start = performance.now();
        steerings.setBatch(steeringRows);
        flows.setBatch(flowRows);
        return ((performance.now() - start) * 1e3) / ROWS;
      };
      const file = join(folder, 'batch');
      const line = <T>(id: number, row: number, codec: Codec<T>, value: T): string =>
        `map update id ${id} key hex ${hexOf(u32, row)} value hex ${hexOf(codec, value)}`;
      const byBpftool = async (): Promise<number> => {
        turn++;
        const lines = [
          ...Array.from({ length: STEERING_ROWS }, (_, row) => line(steerings.raw.id, row, steeringCodec, steeringRow(row, turn))),
          ...Array.from({ length: FLOW_ROWS }, (_, row) => line(flows.raw.id, row, flowCodec, flowRow(row, turn))),
        ];
        writeFileSync(file, `${lines.join('\n')}\n`);
        const start = performance.now();
        await run('bpftool', ['batch', 'file', file]);
        return ((performance.now() - start) * 1e3) / ROWS;
      };
      for (let i = 0; i < WARM_UPS; i++) byTypeScript(); // a process that has been running for a while
      await byBpftool();
      const written = flows.get(FLOW_ROWS - 1);
      if (written?.learnt.seen !== turn) throw new Error('bpftool has not written what it was told');
      const finder = new Finder();
      const measured = finder.used(await measureRounds({ typescript: byTypeScript, bpftool: byBpftool }, {
        rounds: Math.max(3, Math.round(rounds / 2)), cpus: [cpu], progress: showProgress('maps'),
      }));
      finder.ratio('maps', measured.ratios('bpftool', 'typescript'));
      finder.figure(`TypeScript, ${ROWS} rows (steerings, flows)`, 'us/row', measured.values('typescript'));
      finder.figure(`bpftool batch, ${ROWS} rows`, 'us/row', measured.values('bpftool'));
      return finder.findings();
    } finally {
      rmSync(folder, { recursive: true, force: true });
      bed.close();
    }
  },
};
