/** A worker that hashes one frame again and again by steer_uplink, and posts every hash that it saw. */
import { parentPort, workerData } from 'node:worker_threads';
import { ContractLimit, hostMaps, Reason } from '../../maps/generated/contract.js';
import { PerCpuMap, RawMap } from '../../src/native/map.js';
import { Pins } from '../../src/native/pins.js';
import { BpfProgram } from '../../src/native/program.js';
import { testRun } from '../../src/native/test_run.js';

interface Task {
  readonly pins: string;
  readonly data: Uint8Array;
  readonly ifindex: number;
  readonly forMs: number;
}

const REPEAT = 2000;
const CPU = 0;
const { pins: root, data, ifindex, forMs } = workerData as Task;
const pins = new Pins(root, ContractLimit.CONTRACT_VERSION);
const program = BpfProgram.fromPin(pins.program('steer_uplink'));
const raw = RawMap.fromPin(pins.map('decisions'));
const decisions = new PerCpuMap(raw, hostMaps.decisions.key, hostMaps.decisions.value);
const seen = new Set<number>();
for (const end = Date.now() + forMs; Date.now() < end; ) {
  testRun(program, { data: Buffer.from(data), ingressIfindex: ifindex, repeat: REPEAT, cpu: CPU });
  // The kernel's own multicasts come by, too.
  for (const { vnic, hash, reason } of decisions.getAll(0) ?? []) if (vnic === 1 && reason === Reason.REDIRECT_RSS) seen.add(hash);
}
program.close();
raw.close();
parentPort?.postMessage([...seen]);
