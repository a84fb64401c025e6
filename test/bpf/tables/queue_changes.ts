/** A flow that shall change its queue keeps the old one until that is empty: no frame overtakes another. */
import { ContractLimit, HashType } from '../../../maps/generated/contract.js';
import { frame } from '../../support/packet_builder.js';
import { collidingPort } from '../bed/flow_hash.js';
import { accelerated, cutThrough, earlier, hashes, heard, noTransmit, queues, steered, takesMultiBuffer } from '../bed/given.js';
import type { Row } from '../bed/row.js';
import { guestUdp, IP, STATION, VNICS, wireUdp } from '../bed/world.js';

const { QUIET_TICKS, FLOW_EXPIRY, FLOW_LIFETIME } = ContractLimit;
const onVf = accelerated('g1');
/** RSS says queue 0, the guest sends on queue 1. */
const rss0 = queues('vf1', 2, 0);
const rss1 = queues('vf1', 2, 1);
const guestOn1 = earlier(guestUdp, { on: 'vf1', queue: 1 });
const frameBefore = earlier(wireUdp, { on: 'pf0' });
const queue0 = { frame: wireUdp, on: 'pf0', verdict: 'redirect', to: 'vf1' } as const;
const queue1 = { ...queue0, toQueue: 1, byCpu: 1 } as const;

/** Another flow of the same slot. */
const other = frame().ethernet({ from: STATION, to: VNICS.g1.mac })
  .ip(IP.station, IP.g1).udp(collidingPort({ from: IP.station, to: IP.g1, fromPort: 1000, toPort: 53, protocol: 17 }), 53);
const otherBefore = earlier(other, { on: 'pf0' });

export const queueChangeRows: readonly Row[] = [
  { title: 'learnt before its first frame: at once', ...queue1, given: [onVf, rss0, guestOn1], counted: ['g1', 'redirect_rfs'] },
  { title: 'learnt after its first frame: first the old queue', ...queue0, given: [onVf, rss0, frameBefore, guestOn1], counted: ['g1', 'redirect_drain'] },
  {
    title: '... as long as it is not quiet', ...queue0, counted: ['g1', 'redirect_drain'],
    given: [onVf, rss0, frameBefore, guestOn1, steered('g1', QUIET_TICKS - 1)],
  },
  {
    title: '... then the new one', ...queue1, counted: ['g1', 'redirect_rfs'],
    given: [onVf, rss0, frameBefore, guestOn1, steered('g1', QUIET_TICKS)],
  },
  {
    title: '... each frame on the old one says that it is not quiet', ...queue0, counted: ['g1', 'redirect_drain'],
    given: [onVf, rss0, frameBefore, guestOn1, steered('g1', QUIET_TICKS - 1), frameBefore, steered('g1', QUIET_TICKS - 1)],
  },
  { title: 'another RETA: first the old queue', ...queue0, given: [onVf, rss0, frameBefore, rss1], counted: ['g1', 'redirect_drain'] },
  {
    title: '... and once that is quiet the one of the RETA', ...queue1, given: [onVf, rss0, frameBefore, rss1, steered('g1', QUIET_TICKS)],
    counted: ['g1', 'redirect_rss'],
  },
  {
    title: 'learnt too long ago: forgotten, and by RSS after a pause', ...queue0, counted: ['g1', 'redirect_rss'], expiresFlow: 'g1',
    given: [onVf, rss0, guestOn1, frameBefore, heard('g1', FLOW_EXPIRY + 1), steered('g1', QUIET_TICKS)],
  },
  {
    title: '... not a tick earlier', ...queue1, counted: ['g1', 'redirect_rfs'],
    given: [onVf, rss0, guestOn1, frameBefore, heard('g1', FLOW_EXPIRY), steered('g1', QUIET_TICKS)],
  },
  {
    title: 'the old queue is gone: no reason to wait', ...queue1, counted: ['g1', 'redirect_rss'],
    given: [onVf, (bed) => bed.setSteering('g1', 'vf', { queues: 4, reta: () => 2 }), frameBefore, rss1],
  },
  {
    title: 'the slot is learnt for another flow: by RSS, and the other goes on undisturbed', ...queue1, counted: ['g1', 'redirect_rfs'],
    given: [onVf, rss0, guestOn1, otherBefore, earlier(other, { on: 'pf0' })],
  },
  {
    title: '... until shortly before it may be learnt anew', ...queue0, counted: ['g1', 'redirect_rss'],
    given: [onVf, rss0, guestOn1, heard('g1', FLOW_LIFETIME - QUIET_TICKS), otherBefore],
  },
  {
    title: 'the slot tells of another flow just now: by RSS, without a trace', ...queue0, counted: ['g1', 'redirect_rss'],
    given: [onVf, rss0, otherBefore, guestOn1],
  },
  {
    title: '... of another flow a while ago: still by RSS, it may have been there', ...queue0, counted: ['g1', 'redirect_drain'],
    given: [onVf, rss0, otherBefore, guestOn1, steered('g1', QUIET_TICKS)],
  },
  {
    title: '... long ago: where the guest sends', ...queue1, counted: ['g1', 'redirect_rfs'],
    given: [onVf, rss0, otherBefore, guestOn1, steered('g1', 2 * QUIET_TICKS)],
  },
];

const tcp4 = frame().ethernet({ from: STATION, to: VNICS.g1.mac }).ip(IP.station, IP.g1).tcp(1000, 53);
const sctp4 = frame().ethernet({ from: STATION, to: VNICS.g1.mac }).ip(IP.station, IP.g1).sctp(1000, 53);

export const hashTypeRows: readonly Row[] = [
  { title: 'hash types: none, so the first bucket', ...queue0, given: [onVf, hashes('vf1', 0 as HashType)], counted: ['g1', 'redirect_rss'] },
  { title: 'hash types: UDP', ...queue1, given: [onVf, hashes('vf1', HashType.UDP_IPV4)], counted: ['g1', 'redirect_rss'] },
  { title: 'hash types: UDP is not TCP', ...queue0, frame: tcp4, given: [onVf, hashes('vf1', HashType.UDP_IPV4)], counted: ['g1', 'redirect_rss'] },
  { title: 'hash types: TCP', ...queue1, frame: tcp4, given: [onVf, hashes('vf1', HashType.TCP_IPV4)], counted: ['g1', 'redirect_rss'] },
  { title: 'hash types: SCTP', ...queue1, frame: sctp4, given: [onVf, hashes('vf1', HashType.SCTP_IPV4)], counted: ['g1', 'redirect_rss'] },
  { title: 'hash types: IPv6 is not IPv4', ...queue0, given: [onVf, hashes('vf1', HashType.IPV6)], counted: ['g1', 'redirect_rss'] },
];

const jumbo = frame().ethernet({ from: STATION, to: VNICS.g1.mac }).ip(IP.station, IP.g1).udp(1, 2).fillTo(9014);
const large = (bed: Parameters<typeof onVf>[0]) => bed.changeVnic('g1', () => ({ tapFrameMax: 9014, vfFrameMax: 9014, uplinkFrameMax: 9014 }));

export const multiBufferRows: readonly Row[] = [
  {
    title: 'in several buffers: to a port that takes them', frame: jumbo, on: 'pf0', given: [onVf, large, takesMultiBuffer('g1', 'VF')],
    verdict: 'redirect', to: 'vf1', counted: ['g1', 'redirect_single'],
  },
  {
    title: '... to one that does not: by the bridge', frame: jumbo, on: 'pf0', given: [onVf, large, takesMultiBuffer('g1', 'TAP')],
    verdict: 'pass', counted: ['g1', 'pass_multi_buffer'],
  },
  {
    title: '... with an unfinished checksum', frame: frame().ethernet({ from: STATION, to: VNICS.g1.mac })
      .ip(IP.station, IP.g1).partialChecksum().udp(1, 2).fillTo(9014),
    on: 'pf0', given: [onVf, large, takesMultiBuffer('g1', 'VF')], verdict: 'pass', counted: ['g1', 'pass_partial_checksum'],
  },
];

export const noTransmitRows: readonly Row[] = [
  {
    title: 'a VF port that takes no redirected frames: by the bridge', frame: wireUdp, on: 'pf0', given: [onVf, noTransmit('g1', 'VF')],
    verdict: 'pass', counted: ['g1', 'pass_no_transmit'],
  },
  {
    title: '... however large', frame: jumbo, on: 'pf0', given: [onVf, noTransmit('g1', 'VF')], verdict: 'pass', counted: ['g1', 'pass_no_transmit'],
  },
  {
    title: '... is no matter on the software path', frame: wireUdp, on: 'pf0', given: [noTransmit('g1', 'VF'), cutThrough('g1')],
    verdict: 'redirect', to: 'tap1', counted: ['g1', 'redirect_single'],
  },
  {
    title: '... nor is the uplink on the way in', frame: wireUdp, on: 'pf0', given: [onVf, noTransmit('g1', 'UPLINK')],
    verdict: 'redirect', to: 'vf1', counted: ['g1', 'redirect_single'],
  },
];
