/**
 * Frames that must not be redirected as they are: left unfinished by a virtio guest, too large, cut short, without a target. All
 * that can arrive arrives intact, and is counted under the reason that this is about. And frames that reach their queue by way of
 * another CPU.
 */
import { onlineCpus } from '../../src/native/cpus.js';
import { testWith } from '../support/require.js';
import { bedTest, runOnBed } from './bed/run.js';
import type { SpecialSeen } from './special_frames_scenarios.js';

const scenarios = new URL('./special_frames_scenarios.js', import.meta.url);
/** Datagrams of both families. */
const DATAGRAMS = 10;

const counted = (risen: SpecialSeen['risen']): Record<string, number> =>
  Object.fromEntries(Object.entries(risen).filter(([name]) => / (pass|redirect|drop)_|^error/.test(name)));

bedTest('what a virtio guest leaves to its device is finished by the bridge, whatever the target and its path', async (t) => {
  const seen = await runOnBed<SpecialSeen[]>(t, scenarios, 'unfinished', ['g1', 'g2', 'g3', 'world']);
  t.is(seen.length, 3 * 3 * 6);
  for (const { what, to, path, cutThrough, arrived, wrong, payload, risen } of seen) {
    const where = `${what} to ${to}, g2 ${path}, cut-through ${cutThrough ? 'on' : 'off'}`;
    const onVf = to === 'g2' && path === 'accelerated';
    const redirects = cutThrough || onVf;
    const finished = what === 'finished';
    const bytes = Number(/^(\d+) bytes of TCP/.exec(what)?.[1] ?? 0);
    // The bridge knows the guest on its tap; a plug-in guest hears both.
    const end = to === 'world' ? 'world wire' : `${to} ${onVf && finished ? 'vf' : 'tap'}`;
    t.deepEqual(Object.keys(arrived), [end], where);
    t.is(wrong, 0, `${where}: damaged`);
    t.is(payload, bytes, `${where}: payload`);
    if (bytes === 0) t.is(arrived[end], DATAGRAMS, where);
    const whose = to === 'world' ? 'g1' : to;
    const redirect = to === 'world' ? 'redirect_uplink' : 'redirect_single';
    // A neighbour's frame is looked at before its path is, one for the uplink only when it may be redirected.
    const partial = !finished && (to !== 'world' || redirects);
    const reason = partial ? 'pass_partial_checksum' : redirects ? redirect : 'pass_software';
    t.deepEqual(counted(risen), { [`${whose} ${reason}`]: bytes > 0 ? 1 : DATAGRAMS }, where);
  }
});

bedTest('without a target, larger than it, or cut short: passed; lost only when the target went down unnoticed', async (t) => {
  const steps = await runOnBed<SpecialSeen[]>(t, scenarios, 'targets', ['g1', 'g2', 'g3', 'world']);
  const seen = new Map(steps.map((step) => [step.what, step]));
  const is = (what: string, arrived: object, reasons: object): void => {
    const step = seen.get(what);
    t.deepEqual<object | undefined, object>(step?.arrived, arrived, what);
    t.is(step?.wrong, 0, what);
    t.deepEqual<object, object>(counted(step?.risen ?? {}), reasons, what);
  };
  is('to the VF', { 'g2 vf': DATAGRAMS }, { 'g2 redirect_single': DATAGRAMS });
  is('the VF is no target', { 'g2 tap': DATAGRAMS }, { 'g2 pass_no_target': DATAGRAMS });
  const { arrived = {}, risen = {} } = seen.get('the VF is down, and nobody noticed') ?? {};
  const lost = Object.entries(risen).filter(([name]) => name.startsWith('error ')).reduce((sum, [, count]) => sum + count, 0);
  t.deepEqual([arrived, risen['g2 redirect_single'], lost], [{}, DATAGRAMS, DATAGRAMS], 'every frame that was lost is an error');
  is('the VF is up again', { 'g2 vf': DATAGRAMS }, { 'g2 redirect_single': DATAGRAMS });
  // What the bridge makes of them is its business: one with br_netfilter fragments those of IPv4.
  const large = seen.get('larger than the tap takes');
  t.deepEqual([large?.arrived, counted(large?.risen ?? {})], [{}, { 'g3 pass_oversize': DATAGRAMS }]);
  is('as large as the tap takes', { 'g3 tap': DATAGRAMS }, { 'g3 redirect_single': DATAGRAMS });
  is('cut short within a tag', {}, { 'nobody pass_runt': 3 });
});

interface HandOver {
  readonly modes: readonly string[];
  readonly seen: readonly {
    readonly to: string; readonly sent: number; readonly arrived: number; readonly whole: number;
    readonly byQueue: readonly number[]; readonly counted: readonly number[]; readonly risen: SpecialSeen['risen'];
  }[];
}

const cpusTest = onlineCpus().includes(1) ? bedTest : testWith('CPU 1').serial;

for (const [scenario, mode] of [['handOver', 'native'], ['handOverGeneric', 'generic']] as const) {
  const where = mode === 'native' ? ' and on the queue that was counted' : '';
  cpusTest(`two queues, ${mode} mode: frames arrive whole${where}, also by way of another CPU`, async (t) => {
    const { modes, seen } = await runOnBed<HandOver>(t, scenarios, scenario, ['g1', 'g2', 'world']);
    t.true(modes.every((each) => each === mode), modes.join());
    for (const { to, sent, arrived, whole, byQueue, counted: queues, risen } of seen) {
      t.deepEqual([arrived, whole], [sent, sent], `${to}: ${JSON.stringify(risen)}`);
      t.true(queues.every((count) => count > 0), `${to}: both queues are used: ${queues.join()}`);
      // Behind a veth the queue is not to be seen; and in generic mode the kernel asks the device for one (generic_xdp_tx() in
      // net/core/dev.c calls netdev_core_pick_tx()), whatever CPU it is on.
      if (to === 'g1' && mode === 'native') t.deepEqual(byQueue, queues, to);
      t.true((risen[`${to} cpu handovers`] ?? 0) > 0, `${to}: some go by way of the other CPU`);
      t.deepEqual(Object.keys(risen).filter((name) => name.startsWith('error ')), [], to);
    }
  });
}
