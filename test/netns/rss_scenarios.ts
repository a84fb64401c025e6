/**
 * What the tests of VLANs, addresses and RSS settings on the kernel's maps do inside a network namespace. Run as a program:
 * SCENARIO PINS; prints one JSON document, bigints as strings.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ContractLimit, hostMaps, metaCodec } from '../../maps/generated/contract.js';
import { encode, u32 } from '../../src/btf/codec.js';
import { DEFAULT_HASH_TYPES, RETA_SIZE } from '../../src/core/limits.js';
import { type HostRssWish, parseMacAddress } from '../../src/core/model.js';
import { rssInput4Tuple, toeplitzHash } from '../../src/core/toeplitz.js';
import { openDataPlane } from '../../src/dataplane/dataplane.js';
import type { DataPlane, SteeringRow, VnicRow } from '../../src/dataplane/port.js';
import { ifindexOf } from '../../src/core/packet/keys.js';
import { RawMap } from '../../src/native/map.js';
import { Pins } from '../../src/native/pins.js';
import { hostObjectPath } from '../../src/paths.js';
import { frame } from '../support/packet_builder.js';
import { printScenario } from '../support/scenario.js';

const [, , name = '', pinsRoot = ''] = process.argv;
const MAC = parseMacAddress('52:54:00:00:00:01');
const REMOTE = '52:54:00:00:00:99';
const HAMMER_MS = 1500;
const pins = new Pins(pinsRoot, ContractLimit.CONTRACT_VERSION);

function open(): Promise<DataPlane> {
  return openDataPlane({
    objectPath: hostObjectPath, pinsRoot, flowsPerVnic: 256, rssKey: 'random', xdpMode: 'auto', maxVnics: 64, warn: () => undefined,
  });
}

function linkIndex(device: string): number {
  const links = JSON.parse(execFileSync('ip', ['-j', 'link', 'show'], { encoding: 'utf8' })) as { ifname: string; ifindex: number }[];
  return links.find(({ ifname }) => ifname === device)?.ifindex ?? 0;
}

function row(change: Partial<VnicRow> = {}): VnicRow {
  return {
    mac: MAC, vlans: [0], access: false, addresses: null, maxRate: null, tapIfindex: linkIndex('tap0'), vfIfindex: 0, uplinkIfindex: linkIndex('pf0'),
    tapFrameMax: 1514, vfFrameMax: 0, uplinkFrameMax: 1514, tapMultiBuffer: false, vfMultiBuffer: false, uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false,
    cutThrough: true, plugin: true, operatorWant: null, ...change,
  };
}

/** Index entries that lead to vNIC 1 by address. */
function addressesOfVnic1(): number {
  const slots = RawMap.fromPin(pins.map('vnic_slots'));
  const found = [...slots.entries()].map(([, value]) => hostMaps.vnic_slots.value.read(value));
  slots.close();
  return found.filter(({ key, vnic }) => key !== 0n && ifindexOf(key) === null && vnic === 1).length;
}

function failure(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    return String(error);
  }
}

const WISH: HostRssWish = { hashTypes: 0x33, weights: [3, 0, 1], keyRow: 1, keyByOperator: true, keyIsRandom: true };

/** The programs write what they decide. */
function capture(): void {
  const metas = RawMap.fromPin(pins.map('metas'));
  const meta = metaCodec.read(metas.get(encode(u32, 0)) ?? Buffer.alloc(metaCodec.size));
  metas.set(encode(u32, 0), encode(metaCodec, { ...meta, capturing: 1 }));
  metas.close();
}

const scenarios: Record<string, () => Promise<unknown>> = {
  /** Rows of an access vNIC and of a trunk, with addresses, read back, by the next daemon too. */
  async rows() {
    const first = await open();
    const access = row({ vlans: [7], access: true, addresses: ['192.0.2.10', '10.0.0.0/8', '2001:db8::10', 'fe80::/64'] });
    first.writeVnic(1, access);
    const read = first.vnics().get(1);
    const keys = [addressesOfVnic1()];
    const trunk = row({ vlans: [0, 5, 6], addresses: [] });
    first.writeVnic(1, trunk);
    const changed = first.vnics().get(1);
    keys.push(addressesOfVnic1());
    first.close();
    const second = await open();
    const adopted = second.vnics().get(1);
    second.writeVnic(1, row());
    keys.push(addressesOfVnic1());
    const unchecked = second.vnics().get(1)?.addresses;
    second.remove();
    return { asWritten: [[access, read], [trunk, changed], [trunk, adopted]], keys, unchecked };
  },

  async wishes() {
    const first = await open();
    const initial = first.hostRssWish();
    first.writeVnic(1, row());
    first.writeRssWish(1, { hashTypes: 1, weights: [], keyRow: 5 });
    first.writeRssWish(2, { hashTypes: null, weights: [2, 1, 0], keyRow: null });
    first.writeHostRssWish(WISH);
    first.writeBridgeVlanNote({ ifindex: 7, vid: 4094, before: { pvid: false, untagged: true } });
    first.writeBridgeVlanNote({ ifindex: 7, vid: 5, before: null });
    first.close();
    const second = await open();
    const notes = [...second.bridgeVlanNotes()].sort((a, b) => a.vid - b.vid);
    const kept = { one: second.rssWish(1), two: second.rssWish(2), host: second.hostRssWish(), notes };
    second.deleteBridgeVlanNote(7, 5);
    second.deleteBridgeVlanNote(7, 5);
    second.deleteVnic(1);
    const after = { one: second.rssWish(1), notes: second.bridgeVlanNotes().length };
    second.remove();
    return { initial, kept, wish: WISH, after };
  },

  /**
   * Keys change while frames are hashed all the time on CPU 0, which reaches queue 0. Only the buckets of the right hashes lead
   * there: a frame with another hash would be counted for queue 1, or as one that keeps its old queue.
   */
  async keyChange() {
    const dataPlane = await open();
    await dataPlane.attach('steer_uplink', linkIndex('pf0'), 'pf0');
    dataPlane.writeVnic(1, row());
    dataPlane.writeTxPort(linkIndex('tap0'), true);
    const keys = ['5a'.repeat(40), '6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa'];
    const [firstKey = '', secondKey = ''] = keys;
    const input = rssInput4Tuple(Uint8Array.of(66, 9, 149, 187), Uint8Array.of(161, 142, 100, 80), 2794, 1766);
    const hashes = keys.map((key) => toeplitzHash(Buffer.from(key, 'hex'), input));
    const reta = Array.from({ length: RETA_SIZE }, (_, bucket) => (hashes.some((hash) => hash % RETA_SIZE === bucket) ? 0 : 1));
    const steering: SteeringRow = { queues: 2, queueCpus: [0, 1], reta, hashTypes: DEFAULT_HASH_TYPES, rssRow: 1, nicHash: false };
    dataPlane.writeRssKey(1, firstKey);
    dataPlane.writeSteering(1, 'tap', steering);
    capture();
    const inUse = failure(() => dataPlane.writeRssKey(1, secondKey));
    const data = frame().ethernet({ from: REMOTE, to: MAC }).ip('66.9.149.187', '161.142.100.80').tcp(2794, 1766).payload('x').build();
    const hammer = new Worker(new URL('./rss_hammer.js', import.meta.url), {
      workerData: { pins: pinsRoot, data, ifindex: linkIndex('pf0'), forMs: HAMMER_MS },
    });
    const hammered = new Promise<readonly number[]>((resolve, reject) => {
      hammer.once('message', resolve);
      hammer.once('error', reject);
    });
    let done = false;
    void hammered.finally(() => (done = true));
    let changes = 0;
    for (let now = 1; !done; changes++) {
      const next = 3 - now;
      dataPlane.writeRssKey(next, keys[changes % 2 === 0 ? 1 : 0] ?? '');
      dataPlane.writeSteering(1, 'tap', { ...steering, rssRow: next, nicHash: false });
      now = next;
      await sleep(1);
    }
    const seen = await hammered;
    const tally = dataPlane.tallies().find(({ id }) => id === 1);
    dataPlane.remove();
    const { redirect_rss, redirect_drain } = tally?.reasons ?? {};
    const frames = { rss: redirect_rss?.packets, drain: redirect_drain?.packets, queues: tally?.tapQueues.slice(0, 2) };
    return { seen, hashes, frames, changes, inUse };
  },
};

await printScenario(scenarios, name);
