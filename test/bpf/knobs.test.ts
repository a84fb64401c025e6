/** The knobs that are set between open and load: what they change, and what they leave alone. */
import test from 'ava';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostKnobs } from '../../maps/generated/contract.js';
import { encode } from '../../src/btf/codec.js';
import { tickShift } from '../../src/dataplane/loader.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { timerFrequencyHz } from '../../src/native/timer_frequency.js';
import { hostObjectPath } from '../../src/paths.js';
import { needs, testWith } from '../support/require.js';
import { Bed, vnicKey } from './bed/bed.js';
import { accelerated, remote } from './bed/given.js';
import { checkRow, type Row } from './bed/row.js';
import { guestFrame, guestUdp, IP, STATION, wireTo } from './bed/world.js';

const knobTest = testWith(
  needs.root(), needs.tool('ip'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'), onlineCpus().includes(1) ? null : 'CPU 1',
);

/** A physical uplink never delivers a partial checksum. */
let bed: Bed;
test.before(async () => {
  if (process.getuid?.() !== 0) return;
  bed = await Bed.create({ rodata: { uplink_partial_checksum: encode(hostKnobs.uplink_partial_checksum, 0) } });
});
test.after.always(() => bed?.close());

const rows: readonly Row[] = [
  {
    title: 'uplink_partial_checksum 0: a frame from the wire that looks partial is redirected',
    given: [accelerated('g1')], frame: wireTo('g1').ip(IP.station, IP.g1).partialChecksum().udp(1, 2), on: 'pf0', verdict: 'redirect',
    to: 'vf1',
    counted: ['g1', 'redirect_single'],
  },
  {
    title: 'uplink_partial_checksum 0: one from a guest is not',
    given: [accelerated('g1'), remote(STATION)], frame: guestFrame('g1', STATION).ip(IP.g1, IP.station).partialChecksum().udp(1, 2),
    on: 'vf1', verdict: 'pass',
    counted: ['g1', 'pass_partial_checksum'], learns: { vnic: 'g1', queue: 0 },
  },
];

knobTest.serial('frozen_tick 0: the clock runs, in ticks of 2^tick_shift timer interrupts', async (t) => {
  const hz = timerFrequencyHz();
  const rodata = { frozen_tick: encode(hostKnobs.frozen_tick, 0), tick_shift: encode(hostKnobs.tick_shift, tickShift(hz)) };
  const running = await Bed.create({ netns: 'current', rodata, ports: bed.ports });
  t.teardown(() => running.close());
  /** Tick when a station of that MAC address was learnt, and between which times (ms) that was. */
  const learn = (mac: string): { readonly tick: number; readonly after: number; readonly before: number } => {
    const after = performance.now();
    running.run(wireTo('g1', mac).arp({ senderMac: mac, sender: IP.station, target: IP.g1 }).build(), { on: 'pf0' });
    const before = performance.now();
    const key = vnicKey(mac, 0);
    return { tick: [...running.remotes.entries()].find(([, remote]) => remote.key === key)![1].learnt, after, before };
  };
  const first = learn('02:00:00:00:01:01');
  await sleep(300);
  const second = learn('02:00:00:00:01:02');
  const ticksIn = (ms: number): number => ((ms / 1000) * hz) / 2 ** tickShift(hz);
  const [least, most] = [Math.floor(ticksIn(second.after - first.before)) - 1, Math.ceil(ticksIn(second.before - first.after)) + 1];
  const passed = second.tick - first.tick;
  t.true(least <= passed && passed <= most, `${least} <= ${passed} <= ${most}`);
  const other = { on: 'tap1', queue: 3 } as const;
  running.run(guestUdp.build(), { on: 'tap1', queue: 2 });
  running.run(guestUdp.build(), other);
  t.deepEqual([...running.learntFlows().values()].map(({ queue }) => queue), [2], 'not at once');
  await sleep(80);
  running.run(guestUdp.build(), other);
  t.deepEqual([...running.learntFlows().values()].map(({ queue }) => queue), [3], 'but after a while');
});

for (const row of rows) knobTest.serial(row.title, (t) => checkRow(t, bed, row));
