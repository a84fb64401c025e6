/** What a guest may send: the same by either path. */
import { BROADCAST, frame } from '../../support/packet_builder.js';
import { accelerated, limited, remote } from '../bed/given.js';
import type { Row } from '../bed/row.js';
import { IP, NOBODY, STATION, VNICS } from '../bed/world.js';

const igmp = frame().ethernet({ from: VNICS.g1.mac, to: STATION }).ipv4({ from: IP.g1, to: IP.station, protocol: 2 });
const tooMuch = { given: [limited('g1', 'used-up'), remote(STATION)], frame: igmp, verdict: 'drop', counted: ['g1', 'drop_rate'] } as const;
const byVf = [accelerated('g1'), ...tooMuch.given] as const;

export const rateRows: readonly Row[] = [
  { title: 'too much, by the tap', ...tooMuch, on: 'tap1' },
  { title: 'too much, by the VF', ...tooMuch, on: 'vf1', given: byVf },
  { title: 'too much, to all', ...tooMuch, on: 'tap1', frame: frame().ethernet({ from: VNICS.g1.mac, to: BROADCAST }).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.g2 }) },
  { title: 'within its rate', ...tooMuch, on: 'tap1', given: [limited('g1', 'fresh'), remote(STATION)], verdict: 'pass', counted: ['g1', 'pass_software'] },
  { title: 'a limit that is none', ...tooMuch, on: 'tap1', given: [limited('g1', 'none'), remote(STATION)], verdict: 'pass', counted: ['g1', 'pass_software'] },
  {
    title: 'from another address: that comes first', ...tooMuch, on: 'tap1', counted: ['g1', 'drop_spoofed_mac'],
    frame: frame().ethernet({ from: NOBODY, to: STATION }).ipv4({ from: IP.g1, to: IP.station, protocol: 2 }),
  },
];
