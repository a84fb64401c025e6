/**
 * What the tests of commands that look at the pinned maps and programs do inside a network namespace. Run as a program: SCENARIO PINS;
 * prints one JSON document.
 */
import { execFileSync } from 'node:child_process';
import { ContractLimit, hostMaps } from '../../maps/generated/contract.js';
import { encode, u32 } from '../../src/btf/codec.js';
import { DEFAULT_HASH_TYPES, RETA_SIZE } from '../../src/core/limits.js';
import { parseMacAddress } from '../../src/core/model.js';
import { openDataPlane } from '../../src/dataplane/dataplane.js';
import { RawMap } from '../../src/native/map.js';
import { Pins } from '../../src/native/pins.js';
import { BpfProgram } from '../../src/native/program.js';
import { hostObjectPath } from '../../src/paths.js';
import { run } from '../support/cli.js';
import { frame } from '../support/packet_builder.js';
import { printScenario } from '../support/scenario.js';

const [, , name = '', pinsRoot = ''] = process.argv;
const pins = new Pins(pinsRoot, ContractLimit.CONTRACT_VERSION);
const MAC = parseMacAddress('52:54:00:00:00:01');

function linkIndex(device: string): number {
  const links = JSON.parse(execFileSync('ip', ['-j', 'link', 'show'], { encoding: 'utf8' })) as { ifname: string; ifindex: number }[];
  return links.find(({ ifname }) => ifname === device)?.ifindex ?? 0;
}

/** An uplink in native mode, a tap in generic mode with the program at its egress, a vNIC on its software path; one spoofed frame. */
async function world(): Promise<void> {
  const dataPlane = await openDataPlane({
    objectPath: hostObjectPath, pinsRoot, flowsPerVnic: 64, rssKey: 'random', xdpMode: 'auto', maxVnics: 64, warn: () => undefined,
  });
  const [pf0, tap0] = [linkIndex('pf0'), linkIndex('tap0')];
  await dataPlane.attach('steer_uplink', pf0, 'pf0');
  await dataPlane.attach('steer_guest', tap0, 'tap0', 'generic');
  dataPlane.attachTap(tap0, 'tap0');
  dataPlane.writeTxPort(tap0, true);
  dataPlane.writeVnic(1, {
    mac: MAC, vlans: [0], access: false, addresses: null, tapIfindex: tap0, vfIfindex: 0, uplinkIfindex: pf0, tapFrameMax: 1514, vfFrameMax: 0,
    uplinkFrameMax: 1514, tapMultiBuffer: false, vfMultiBuffer: false, uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false, cutThrough: true, plugin: true, maxRate: null, operatorWant: null,
  });
  dataPlane.writePort(tap0, { vnic: 1, role: 'tap' });
  dataPlane.writeSteering(1, 'tap', { queues: 1, reta: new Array<number>(RETA_SIZE).fill(0), queueCpus: [0], hashTypes: DEFAULT_HASH_TYPES, rssRow: 0, nicHash: false });
  const program = BpfProgram.fromPin(pins.program('steer_guest'));
  const spoofed = frame().ethernet({ from: '02:00:00:00:00:09', to: '02:00:00:00:00:02' }).ip('10.0.0.1', '10.0.0.2').udp(1, 2).build();
  program.testRun({ data: spoofed, ingressIfindex: tap0 });
  program.close();
  dataPlane.close();
}

const SCENARIOS: Readonly<Record<string, () => Promise<unknown>>> = {
  /** What every command prints, as JSON and in words. */
  async looked() {
    await world();
    const commands = [...['list', 'stats', ...Object.keys(hostMaps).map((map) => `dump ${map}`)].map((words) => `map ${words}`), 'prog list', 'prog stats'];
    const seen: Record<string, unknown> = {};
    for (const command of commands) {
      const [json, text] = [await run(`-j -S /nowhere.sock ${command} --pins ${pinsRoot}`), await run(`-S /nowhere.sock ${command} --pins ${pinsRoot}`)];
      seen[command] = { code: json.code + text.code, json: JSON.parse(json.out), text: text.out };
    }
    seen['unknown'] = await run(`-S /nowhere.sock map dump vnicz --pins ${pinsRoot}`);
    seen['elsewhere'] = await run(`-S /nowhere.sock map list --pins ${pinsRoot}-not`);
    return seen;
  },

  /** A map that is opened for reading only cannot be written, whoever tries. */
  async readOnly() {
    await world();
    const map = RawMap.fromPin(pins.map('vnics'), { readOnly: true });
    const value = map.get(encode(u32, 1));
    try {
      map.set(encode(u32, 1), Buffer.alloc(map.valueSize));
      return { refused: null };
    } catch (error) {
      return { refused: String(error), same: map.get(encode(u32, 1))?.equals(value ?? Buffer.alloc(0)) };
    } finally {
      map.close();
    }
  },
};

await printScenario(SCENARIOS, name);
