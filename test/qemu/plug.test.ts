import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { needs } from '../support/require.js';
import { guest, type Bed, type RunningGuest } from './bed.js';
import { guestsTest } from './guests_test.js';
import { LATE_LINK_MS, median, Traffic } from './traffic.js';

const SETTLE_MS = 100;

/**
 * Nothing that was sent to the guest is lost, doubled, out of order or damaged. (The wire has two queues: answers that come by the tap and by
 * the VF may overtake each other there.)
 */
const INTACT = { lost: 0, duplicated: 0, reordered: 0, corrupt: 0, echoDuplicated: 0, echoCorrupt: 0 };

const pauses = (values: readonly number[]): string => `${median(values).toFixed(0)} ms (longest ${Math.max(...values).toFixed(0)})`;

/** Plugs and unplugs under traffic; returns the longest pauses at the guest's socket, one for each. */
async function cycles(bed: Bed, at: RunningGuest, traffic: Traffic, count: number): Promise<{ plug: number[]; unplug: number[] }> {
  const { control } = bed.host('a');
  const plug: number[] = [];
  const unplug: number[] = [];
  for (let i = 0; i < count; i++) {
    for (const [verb, list] of [['accelerate', plug], ['software', unplug]] as const) {
      await control.act(at.spec.name, verb, 20_000);
      await sleep(SETTLE_MS);
      list.push(await traffic.lap());
    }
  }
  return { plug, unplug };
}

type Kind = readonly [talks: boolean, packetsPerSecond: number, cycles: number];

async function plugAndUnplug(t: ExecutionContext, bed: Bed, model: string, kinds: readonly Kind[]): Promise<void> {
  const host = bed.host('a');
  const at = await bed.boot('a', guest(1));
  await host.startDaemon();
  for (const [index, [talks, packetsPerSecond, count]] of kinds.entries()) {
    const traffic = new Traffic(bed.endpoint, at, { id: index + 1, packetsPerSecond, talks, tcp: true, family: index % 2 === 0 ? 4 : 6 });
    await traffic.start();
    await sleep(SETTLE_MS);
    await traffic.lap();
    const { plug, unplug } = await cycles(bed, at, traffic, count);
    const tcp = await traffic.tcp();
    const outcome = await traffic.finish();
    const what = `${model}, ${talks ? 'talking' : 'silent'} guest, ${packetsPerSecond} datagrams/s`;
    t.log(`${what}: ${outcome.sent} sent, ${outcome.lost} lost, echoes lost ${outcome.echoLost}, overtaken ${outcome.echoReordered}; pause at a plug ${pauses(plug)}, at an unplug ${pauses(unplug)}; TCP stood still ${tcp?.longestStallMs.toFixed(0)} ms`);
    const { sent, echoLost, echoReordered, ...became } = outcome;
    t.true(sent > 0);
    // Whose link is there at once loses none.
    t.true(echoLost <= (model === 'e1000e' ? (count * packetsPerSecond * LATE_LINK_MS) / 1000 : 0), `${what}: ${echoLost} echoes lost`);
    t.deepEqual(became, INTACT, what);
    t.true(tcp?.ok, `${what}: ${tcp?.detail}`);
    t.is((await host.vnic('g1')).phase, 'software');
  }
  const { undone } = await host.control.down();
  t.true(undone.length > 0);
}

const vfs = (model: string) => [{ name: 'a', vfs: [{ port: 'tp0', model }] }];

/** 22 with time, 12 without. */
const [FEW, MANY] = needs.time() === null ? [3, 8] : [2, 4];

guestsTest('vmxnet3 plugged and unplugged again and again, a talking and a silent guest: nothing lost, doubled or out of order', vfs('vmxnet3'), (t, bed) =>
  plugAndUnplug(t, bed, 'vmxnet3', [[true, 250, FEW], [false, 250, MANY], [true, 1000, MANY], [false, 1000, FEW]]));

guestsTest('e1000e, whose link comes late: the frames wait for it', vfs('e1000e'), (t, bed) => plugAndUnplug(t, bed, 'e1000e', [[true, 250, 2], [false, 250, 2]]), { long: true });
