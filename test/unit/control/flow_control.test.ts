import test from 'ava';
import { FlowControl, FlowsRefusedError } from '../../../src/control/flow_control.js';
import type { FlowsRequest } from '../../../src/control/flow_protocol.js';
import type { MonitorEvent } from '../../../src/control/protocol.js';
import type { LearntFlows } from '../../../src/core/learnt_flows.js';
import { monitorEvent, vnicStatus } from '../../support/fake_controller.js';

const SLOTS = 16;
const BROUGHT: FlowsRequest = { seed: '00000000000000ff', slots: 32, flows: [[17, 7, 1, 20], [2, 9, 0, 5]] };

/** One vNIC, g1 with id 3, in the maps or not; what is written into them is kept. */
function bed(there: boolean) {
  const rows = new Map(there ? [[3, {} as never]] : []);
  const written: [number, LearntFlows][] = [];
  let listener: (event: MonitorEvent) => void = () => undefined;
  let nowMs = 1000;
  const control = new FlowControl(
    {
      vnicStatus: () => [vnicStatus({ name: 'g1' })],
      vnicIds: () => new Map([[3, 'g1']]),
      onEvent: (given) => {
        listener = given;
        return () => undefined;
      },
    },
    {
      vnics: () => rows,
      learntFlows: () => ({ seed: 0xabn, slots: SLOTS, flows: [{ slot: 1, tag: 2, queue: 3, ageMs: 12.4 }] }),
      writeLearntFlows: (id, flows) => written.push([id, flows]),
    },
    SLOTS,
    () => nowMs,
  );
  const arrive = (afterMs: number): void => {
    nowMs += afterMs;
    rows.set(3, {} as never);
    listener({ ...monitorEvent(), vnic: 'g1' });
  };
  return { control, written, arrive, tell: (vnic: string) => listener({ ...monitorEvent(), vnic }) };
}

test('what was learnt is told with the key that it needs', (t) => {
  t.deepEqual(bed(true).control.get('g1'), { vnic: 'g1', seed: '00000000000000ab', slots: 16, flows: [[1, 2, 3, 12]] });
  t.deepEqual(bed(false).control.get('g1'), { vnic: 'g1', seed: null, slots: 16, flows: [] });
  t.is(bed(true).control.get('g9'), null);
});

test('what is brought is written at once where the guest is here', (t) => {
  const { control, written } = bed(true);
  t.deepEqual(control.put('g1', BROUGHT), { vnic: 'g1', taken: 2, waits: false });
  t.is(control.put('g9', BROUGHT), null);
  t.deepEqual(written, [[3, { seed: 0xffn, slots: 32, flows: [{ slot: 17, tag: 7, queue: 1, ageMs: 20 }, { slot: 2, tag: 9, queue: 0, ageMs: 5 }] }]]);
});

test('of a guest that has not arrived it waits, and grows old; the last that was brought counts', (t) => {
  const { control, written, arrive, tell } = bed(false);
  t.true(control.put('g1', { ...BROUGHT, flows: [] })?.waits);
  t.true(control.put('g1', BROUGHT)?.waits);
  tell('g1');
  t.deepEqual(written, []);
  arrive(300);
  t.deepEqual(written.map(([id, { flows }]) => [id, flows.map(({ ageMs }) => ageMs)]), [[3, [320, 305]]]);
  arrive(1);
  t.is(written.length, 1, 'once');
});

test('what has waited for too long is of no use', (t) => {
  const { control, written, arrive } = bed(false);
  control.put('g1', BROUGHT);
  arrive(61_000);
  t.deepEqual(written, []);
});

test('what does not fit is refused, and nothing waits', (t) => {
  const { control, written, arrive } = bed(false);
  const refused = { instanceOf: FlowsRefusedError } as const;
  t.throws(() => control.put('g1', { ...BROUGHT, slots: 8, flows: [] }), { ...refused, message: /give both hosts the same flows_per_vnic/ });
  t.throws(() => control.put('g1', { ...BROUGHT, flows: [[32, 1, 1, 1]] }), { ...refused, message: /slot 32 is not in a table of 32/ });
  arrive(1);
  t.deepEqual(written, []);
});
