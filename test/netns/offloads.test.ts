/**
 * Frames that must not be redirected go to the bridge: those whose checksum is left to a device arrive intact, those larger than
 * their target are the bridge's to drop. Every datagram is numbered and checked byte by byte; IPv4 and IPv6 in all of it.
 */
import type { ExecutionContext } from 'ava';
import type { VnicPath } from '../../src/core/model.js';
import { hostObjectPath } from '../../src/paths.js';
import { needs, testWith } from '../support/require.js';
import {
  type FlowKind, type Guest, GUESTS, LARGE_MTU, OffloadSite, type OffloadState, type Outcome, type Station, STREAMS_PER_PAIR, USUAL_MTU,
} from './offload_site.js';

const tools = ['ip', 'bridge', 'tc', 'ethtool', 'nsenter', 'sysctl'].map(needs.tool);
// One after the other: two labs at once would be too much for two CPUs.
const offloadTest = testWith(needs.root(), ...tools, needs.bpffs(), needs.file(hostObjectPath, 'the BPF objects')).serial;

const LAB = `o${process.pid}`;
const OBSERVED_MS = 800;
/** Bytes of TCP that must arrive in that time; six times as many are sent. */
const TCP_BYTES = 80_000;
/** One finished checksum of 65535 looks unfinished. */
const CHANCE = 3;
/** Largest of the TCP streams. */
const SEGMENT_BYTES = 1460;
/** A frame that holds several is enough to see that there are such; acknowledgements and neighbour discovery blur the count. */
const SEGMENTS = 100;
const PARTIAL = 'pass_partial_checksum';
const OVERSIZE = 'pass_oversize';

interface State {
  readonly name: string;
  readonly path: VnicPath;
  readonly cutThrough: boolean;
  /** Frames are redirected on this path, if they may be. */
  readonly redirects: boolean;
}

interface Offloads {
  readonly guests: OffloadState;
  readonly world: OffloadState;
}

/** Which large frames arrive, and which are passed as too large, counted for whom. */
interface LargeExpected {
  readonly arrive: readonly (readonly [from: Station, to: Station])[];
  readonly oversize: readonly (readonly [from: Station, to: Station, countedFor: Guest])[];
}

const STATES: readonly State[] = [
  { name: 'software', path: 'software', cutThrough: false, redirects: false },
  { name: 'software, cut-through', path: 'software', cutThrough: true, redirects: true },
  { name: 'accelerated', path: 'accelerated', cutThrough: false, redirects: true },
  { name: 'accelerated, cut-through', path: 'accelerated', cutThrough: true, redirects: true },
];

const OFFLOADS: readonly Offloads[] = [
  { guests: 'off', world: 'off' },
  { guests: 'on', world: 'off' },
  { guests: 'off', world: 'on' },
  { guests: 'on', world: 'on' },
];

function arrivedIntact(t: ExecutionContext, outcome: Outcome, kinds: readonly FlowKind[], where: string): void {
  for (const kind of kinds) {
    const { sent, lost, duplicated, corrupt } = outcome.account(kind);
    t.true(sent > 0, `${where}: ${kind} datagrams`);
    t.deepEqual({ lost, duplicated, corrupt }, { lost: 0, duplicated: 0, corrupt: 0 }, `${where}: ${kind} datagrams`);
  }
  t.is(outcome.checksumErrors, 0, `${where}: wrong checksums`);
  t.is(outcome.redirectErrors, 0, `${where}: redirect errors`);
  for (const { alive, client, server } of outcome.tcp) t.true(alive, `${where}: TCP: ${[...client.errors, ...server.errors].join()}`);
  t.true(outcome.tcpBytes > TCP_BYTES, `${where}: only ${outcome.tcpBytes} bytes of TCP arrived`);
}

/** Everything that was ever written to a TCP stream has arrived, and is what was written. */
async function tcpIsWhole(t: ExecutionContext, site: OffloadSite): Promise<void> {
  for (const { alive, client, server } of await site.stop()) {
    t.true(alive);
    t.is(client.bytesReceived, server.bytesSent);
    t.is(server.bytesReceived, client.bytesSent);
  }
}

/** At least so many frames with an unfinished checksum must have been passed, by the vNIC that they are counted for. */
function partialFrames({ path, redirects }: State, { guests, world }: Offloads, outcome: Outcome): Record<Guest, number> {
  const udp = (from: Station, to: Station): number => outcome.account('usual', from, to).sent;
  // Half of what arrived: some of it was on its way already when the counting began.
  const tcp = STREAMS_PER_PAIR * Math.floor(outcome.tcpBytes / 2 / SEGMENT_BYTES);
  const least = { g1: 0, g2: 0 };
  if (guests === 'on') {
    // A neighbour's frame is looked at before its path is, one for the uplink only when it may be redirected.
    least.g1 += udp('g2', 'g1') + tcp;
    if (redirects) least.g2 += udp('g2', 'world') + tcp;
    // The tap of g1 has no offload, so its datagrams are finished; TCP leaves that to whatever device a segment takes: the VF.
    if (path === 'accelerated') least.g1 += tcp;
    if (path === 'accelerated') least.g2 += tcp;
  }
  if (world === 'on') for (const guest of GUESTS) least[guest] += udp('world', guest) + tcp;
  return least;
}

offloadTest('frames whose checksum or segmentation is left to a device arrive intact, on every path', async (t) => {
  const site = await OffloadSite.up(t, LAB);
  for (const [from, to] of [['world', 'g1'], ['world', 'g2'], ['g1', 'g2'], ['g2', 'world']] as const) {
    await site.startFlows('fragmented', from, to);
  }
  for (const state of STATES) {
    await site.bring(state.path, state.cutThrough);
    for (const offloads of OFFLOADS) {
      await site.guestOffloads(offloads.guests);
      await site.worldOffloads(offloads.world);
      const where = `${state.name}; offloads of guests ${offloads.guests}, of world ${offloads.world}`;
      const outcome = await site.observe(OBSERVED_MS);
      arrivedIntact(t, outcome, ['usual', 'fragmented'], where);
      const least = partialFrames(state, offloads, outcome);
      for (const guest of GUESTS) {
        const partial = outcome.reason(guest, PARTIAL);
        const words = `${where}: ${partial} frames of ${guest} as ${PARTIAL}`;
        if (least[guest] > 0) t.true(partial >= least[guest], `${words}, at least ${least[guest]} were sent`);
        else t.true(partial <= CHANCE, `${words}, none was sent`);
        if (offloads.guests === 'on') t.true(outcome.unsegmented(guest) > SEGMENTS, `${where}: ${guest} sends no segments in one frame`);
      }
      if (offloads.world === 'on') t.true(outcome.unsegmented('world') > SEGMENTS, `${where}: the world sends no segments in one frame`);
    }
  }
  await tcpIsWhole(t, site);
});

/** The usual datagrams are unharmed; of the large ones exactly those arrive that are not too large for anyone on their way. */
function onlyOversizeIsDropped(t: ExecutionContext, outcome: Outcome, { redirects }: State, expected: LargeExpected, where: string): void {
  arrivedIntact(t, outcome, ['usual'], where);
  for (const [from, to] of expected.arrive) {
    const { sent, received, corrupt } = outcome.account('large', from, to);
    t.true(sent > 0, where);
    t.deepEqual({ received, corrupt }, { received: sent, corrupt: 0 }, `${where}: large datagrams from ${from} to ${to}`);
  }
  const least = { g1: 0, g2: 0 };
  for (const [from, to, guest] of expected.oversize) {
    const { sent, received } = outcome.account('large', from, to);
    t.true(sent > 0, where);
    // No bridge forwards a frame to a port of a smaller MTU: dropped it is in any case, but by the one whose business that is.
    t.is(received, 0, `${where}: large datagrams from ${from} arrived at ${to}`);
    if (redirects) least[guest] += sent;
  }
  for (const guest of GUESTS) {
    const oversize = outcome.reason(guest, OVERSIZE);
    const words = `${where}: ${oversize} frames of ${guest} as ${OVERSIZE}`;
    if (least[guest] > 0) t.true(oversize >= least[guest], `${words}, at least ${least[guest]} were sent`);
    else t.is(oversize, 0, `${words}, none was sent`);
  }
}

offloadTest('frames larger than their target are left to the bridge, which drops them; usual ones beside them are unharmed', async (t) => {
  const site = await OffloadSite.up(t, LAB);
  // Cut-through is about taps, so there is nothing new in it for guests that are on their VFs.
  for (const state of STATES.filter(({ path, cutThrough }) => path === 'software' || !cutThrough)) {
    await site.bring(state.path, state.cutThrough);
    const check = async (what: string, expected: LargeExpected): Promise<void> =>
      onlyOversizeIsDropped(t, await site.observe(OBSERVED_MS), state, expected, `${state.name}; ${what}`);

    await site.wireMtu(LARGE_MTU);
    const fromWorld = [...(await site.startFlows('large', 'world', 'g1')), ...(await site.startFlows('large', 'world', 'g2'))];
    await check('the wire takes more than the guests', { arrive: [], oversize: [['world', 'g1', 'g1'], ['world', 'g2', 'g2']] });

    await site.guestMtu('g2', LARGE_MTU);
    const fromGuest = [...(await site.startFlows('large', 'g2', 'world')), ...(await site.startFlows('large', 'g2', 'g1'))];
    await check('the wire and g2 take more than g1', {
      arrive: [['world', 'g2'], ['g2', 'world']],
      oversize: [['world', 'g1', 'g1'], ['g2', 'g1', 'g1']],
    });

    await site.stopFlows(fromWorld);
    await site.wireMtu(LARGE_MTU, USUAL_MTU);
    await check('g2 takes more than the uplink and g1', { arrive: [], oversize: [['g2', 'world', 'g2'], ['g2', 'g1', 'g1']] });

    await site.stopFlows(fromGuest);
    await site.guestMtu('g2', USUAL_MTU);
    await site.wireMtu(USUAL_MTU);
  }
  await tcpIsWhole(t, site);
});
