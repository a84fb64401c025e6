/** Sends one frame of each flow of a kind by a device of this namespace: DEVICE KIND. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LinuxHostNetwork } from '../../src/host/network.js';
import { type Kind, KINDS } from './hashed_flows.js';

/** More at once than a queue has room for would be lost. */
const AT_ONCE = 20;

const [, , device = '', kind] = process.argv;
const network = new LinuxHostNetwork();
const ifindex = (await network.links()).get(device)?.ifindex;
if (ifindex === undefined) throw new Error(`there is no device ${device}`);
for (const [i, { bytes }] of KINDS[kind as Kind].entries()) {
  network.sendFrame(ifindex, bytes);
  if (i % AT_ONCE === AT_ONCE - 1) await sleep(50);
}
network.close();
process.stdout.write('{}');
