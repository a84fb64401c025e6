/**
 * Runs in the machine: a guest on its tap, behind a NIC that tells the RSS hash of each frame. Run as a program: `steer` HASH, where HASH says whose hash is
 * taken (`nic`, `own`), prints how many frames each of the guest's queues has had until then; `remove` takes all away.
 */
import { execFileSync } from 'node:child_process';
import { DEFAULT_SPREAD, planSteering } from '../../src/core/queue_plan.js';
import { parseMacAddress } from '../../src/core/model.js';
import { openDataPlane } from '../../src/dataplane/dataplane.js';
import type { Attachment } from '../../src/dataplane/port.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { boundObjectPath, hostObjectPath } from '../../src/paths.js';
import { printScenario } from '../support/scenario.js';
import { GUEST_MAC, NIC_MAC, OWN_KEY } from './hashed_flows.js';

const GUEST = 1;
const QUEUES = 2;
const FRAME_MAX = 1514;

export interface Steered {
  readonly attachment: Attachment | undefined;
  /** Of the tap. */
  readonly queues: readonly number[];
  readonly reta: readonly number[];
}

const sh = (line: string): string => execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' }).trim();
const ifindex = (device: string): number => Number(sh(`cat /sys/class/net/${device}/ifindex`));
const open = () =>
  openDataPlane({
    objectPath: hostObjectPath, boundObjectPath, pinsRoot: '/sys/fs/bpf/unipath-nic-hash', flowsPerVnic: 256, rssKey: Buffer.from(OWN_KEY, 'hex'), xdpMode: 'native',
  });

async function steer(nicHash: boolean): Promise<Steered> {
  const dataPlane = await open();
  const nic = sh(`basename $(dirname $(grep -l ${NIC_MAC} /sys/class/net/*/address))`);
  const [tap, uplink] = [ifindex('tap-g0'), ifindex(nic)];
  const queues = dataPlane.tallies([GUEST])[0]?.tapQueues ?? [];
  dataPlane.writeVnic(GUEST, {
    mac: parseMacAddress(GUEST_MAC), vlans: [0], access: false, addresses: null, maxRate: null, plugin: true, cutThrough: true, operatorWant: null,
    tapIfindex: tap, vfIfindex: 0, uplinkIfindex: uplink, tapFrameMax: FRAME_MAX, vfFrameMax: 0, uplinkFrameMax: FRAME_MAX,
    tapMultiBuffer: false, vfMultiBuffer: false, uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false,
  });
  dataPlane.writePort(tap, { vnic: GUEST, role: 'tap' });
  const row = planSteering(QUEUES, onlineCpus(), GUEST, { ...DEFAULT_SPREAD, nicHash });
  dataPlane.writeSteering(GUEST, 'tap', row);
  dataPlane.writeTxPort(tap, true);
  await dataPlane.attach('steer_uplink_hw', uplink, nic);
  const attachment = dataPlane.attachments().find((each) => each.ifindex === uplink);
  dataPlane.close();
  return { attachment, queues: queues.slice(0, QUEUES), reta: row?.reta ?? [] };
}

await printScenario(
  {
    steer: () => steer(process.argv[3] === 'nic'),
    async remove() {
      (await open()).remove();
      return {};
    },
  },
  process.argv[2],
);
