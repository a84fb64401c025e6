/**
 * What the tests of the data plane do inside a network namespace. Run as a program: SCENARIO PINS [OBJECT]; prints one JSON
 * document, bigints as strings.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContractLimit, flowCodec, hostMaps, metaCodec } from '../../maps/generated/contract.js';
import { encode, u32 } from '../../src/btf/codec.js';
import { DEFAULT_HASH_TYPES } from '../../src/core/limits.js';
import { macBytes, parseMacAddress } from '../../src/core/model.js';
import { ifindexOf, slotOf, vnicKey } from '../../src/core/packet/keys.js';
import { type DataPlaneOptions, openDataPlane } from '../../src/dataplane/dataplane.js';
import { loadObject } from '../../src/dataplane/loader.js';
import type { DataPlane, DataPlaneEvent, VnicRow } from '../../src/dataplane/port.js';
import { reusablePins } from '../../src/dataplane/upgrade.js';
import { queryXdp, TracingLink, XdpLink } from '../../src/native/link.js';
import { RawMap } from '../../src/native/map.js';
import { Pins } from '../../src/native/pins.js';
import { BpfProgram } from '../../src/native/program.js';
import { PacketSocket } from '../../src/native/socket.js';
import { LinuxHostNetwork } from '../../src/host/network.js';
import { boundObjectPath, hostObjectPath } from '../../src/paths.js';
import { frame } from '../support/packet_builder.js';
import { asText, printScenario } from '../support/scenario.js';

const [, , name = '', pinsRoot = '', objectPath = hostObjectPath] = process.argv;
const MAC = parseMacAddress('52:54:00:00:00:01');
const REMOTE = '52:54:00:00:00:99';
const pins = new Pins(pinsRoot, ContractLimit.CONTRACT_VERSION);
const warnings: string[] = [];

function open(options: Partial<DataPlaneOptions> = {}): Promise<DataPlane> {
  const warn = (message: string) => warnings.push(message);
  return openDataPlane({ objectPath, pinsRoot, flowsPerVnic: 256, rssKey: 'random', xdpMode: 'auto', maxVnics: 64, warn, ...options });
}

/** 0 when there is no such device. (sysfs would show those of the namespace it was mounted in.) */
function linkIndex(device: string): number {
  const text = execFileSync('ip', ['-j', 'link', 'show'], { encoding: 'utf8' });
  const links = JSON.parse(text) as { readonly ifname: string; readonly ifindex: number }[];
  return links.find(({ ifname }) => ifname === device)?.ifindex ?? 0;
}

function row(change: Partial<VnicRow> = {}): VnicRow {
  return {
    mac: MAC, vlans: [0], access: false, addresses: ['10.0.0.1', '2001:db8::/64'], maxRate: 700, tapIfindex: linkIndex('tap0'), vfIfindex: linkIndex('vf0'), uplinkIfindex: linkIndex('pf0'),
    tapFrameMax: 1514, vfFrameMax: 1514, uplinkFrameMax: 1514, tapMultiBuffer: false, vfMultiBuffer: true, uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false, cutThrough: false,
    plugin: true, operatorWant: 'accelerated', ...change,
  };
}

/** One vNIC with a tap and a VF port, everything that a daemon would write. */
async function equip(dataPlane: DataPlane): Promise<void> {
  const [pf0, tap0, vf0] = ['pf0', 'tap0', 'vf0'].map(linkIndex) as [number, number, number];
  await dataPlane.attach('steer_uplink', pf0, 'pf0');
  await dataPlane.attach('steer_guest', tap0, 'tap0');
  await dataPlane.attach('steer_guest', vf0, 'vf0');
  dataPlane.writeVnic(1, row());
  dataPlane.writePort(tap0, { vnic: 1, role: 'tap' });
  dataPlane.writePort(vf0, { vnic: 1, role: 'vf' });
  for (const ifindex of [pf0, tap0, vf0]) dataPlane.writeTxPort(ifindex, true);
  dataPlane.writeTxPort(pf0, true);
  const reta = new Array<number>(ContractLimit.RETA_SIZE).fill(0);
  dataPlane.writeSteering(1, 'vf', { queues: 1, reta, queueCpus: [0], hashTypes: DEFAULT_HASH_TYPES, rssRow: 0, nicHash: false });
  dataPlane.changePath(1, { path: 'accelerated', vfAllowed: true });
}

/** All that can be read back. */
function describe(dataPlane: DataPlane): Record<string, unknown> {
  return {
    adopted: dataPlane.adopted,
    attachments: dataPlane.attachments(),
    vnics: [...dataPlane.vnics()],
    path: dataPlane.path(1),
    ports: [...dataPlane.ports()].sort(([a], [b]) => a - b),
    txPorts: [...dataPlane.txPorts()].sort((a, b) => a - b),
    steeringVf: dataPlane.steering(1, 'vf'),
    steeringTap: dataPlane.steering(1, 'tap'),
    tallyIds: dataPlane.tallies().map(({ id }) => id),
    warnings,
  };
}

/** What the kernel has, to see what changed and what did not. */
function kernelIds(): Record<string, unknown> {
  const link = XdpLink.fromPin(pins.link(linkIndex('pf0')));
  const vnics = RawMap.fromPin(pins.map('vnics'));
  const flows = RawMap.fromPin(pins.map('flows'));
  const cpus = RawMap.fromPin(pins.map('cpus'));
  const steerQueue = BpfProgram.fromPin(pins.program('steer_queue'));
  const cpuPrograms = [...cpus.entries()].map(([, value]) => hostMaps.cpus.value.read(value).bpfProg);
  const ids = {
    link: link.info().linkId, program: link.info().programId, xdp: queryXdp(linkIndex('pf0')), vnics: vnics.id, flowRows: flows.maxEntries,
    cpusRunSteerQueue: cpuPrograms.length > 0 && cpuPrograms.every((id) => id === steerQueue.id),
  };
  for (const handle of [link, vnics, flows, cpus, steerQueue]) handle.close();
  return ids;
}

function idOf(handle: RawMap | BpfProgram): number {
  const { id } = handle;
  handle.close();
  return id;
}

function linkIdOf(link: XdpLink | TracingLink): number {
  const { linkId } = link.info();
  link.close();
  return linkId;
}

function pinned(): string[] {
  return readdirSync(pins.folder, { recursive: true, encoding: 'utf8' }).sort();
}

async function failure(call: () => unknown): Promise<string | null> {
  try {
    await call();
    return null;
  } catch (error) {
    return String(error);
  }
}

function rssKey(): Buffer | undefined {
  const rss = RawMap.fromPin(pins.map('rss'));
  const key = rss.get(encode(u32, 0))?.subarray(0, ContractLimit.RSS_KEY_SIZE);
  rss.close();
  return key;
}

function setMeta(bytes: Buffer): void {
  const metas = RawMap.fromPin(pins.map('metas'));
  metas.set(encode(u32, 0), bytes);
  metas.close();
}

/** MAC addresses whose index entries begin at the same slot. */
function collidingMacs(count: number): VnicRow['mac'][] {
  const macs: VnicRow['mac'][] = [];
  for (let n = 0; macs.length < count; n++) {
    const last = [n >> 16, (n >> 8) & 0xff, n & 0xff].map((byte) => byte.toString(16).padStart(2, '0'));
    const mac = parseMacAddress(['02:00:00', ...last].join(':'));
    if (slotOf(vnicKey(macBytes(mac), 0)) === 77) macs.push(mac);
  }
  return macs;
}

/** Waits until `ready` is true, at most two seconds. */
async function until(ready: () => boolean): Promise<boolean> {
  for (let i = 0; i < 200 && !ready(); i++) await sleep(10);
  return ready();
}

const scenarios: Record<string, () => Promise<unknown>> = {
  /** Opens, writes everything, closes. */
  async equip() {
    const dataPlane = await open();
    await equip(dataPlane);
    const seen = describe(dataPlane);
    dataPlane.close();
    return { seen, ids: kernelIds(), pinned: pinned() };
  },

  /** The same, then waits to be killed. */
  async hold() {
    const dataPlane = await open();
    await equip(dataPlane);
    dataPlane.onEvent(() => undefined);
    process.stdout.write(JSON.stringify(describe(dataPlane), asText));
    await new Promise(() => undefined);
  },

  async reopen() {
    const dataPlane = await open();
    const seen = describe(dataPlane);
    dataPlane.close();
    return { seen, ids: kernelIds(), pinned: pinned() };
  },

  async otherSettings() {
    const dataPlane = await open({ flowsPerVnic: 512 });
    const seen = describe(dataPlane);
    dataPlane.close();
    return { seen, ids: kernelIds(), pinned: pinned() };
  },

  async remove() {
    const dataPlane = await open();
    await equip(dataPlane);
    const ids = {
      maps: pins.listMaps().map((map) => idOf(RawMap.fromPin(pins.map(map)))),
      programs: pins.listPrograms().map((program) => idOf(BpfProgram.fromPin(pins.program(program)))),
      links: pins.listLinks().map((ifindex) => linkIdOf(XdpLink.fromPin(pins.link(ifindex)))),
      tracing: pins.listTracing().map((tracing) => linkIdOf(TracingLink.fromPin(pins.tracing(tracing)))),
    };
    dataPlane.attachTap(linkIndex('tap0'), 'tap0');
    dataPlane.hold(1, 60_000, 4096);
    const tapped = [...dataPlane.tapAttachments()].length;
    dataPlane.remove();
    return { ids, tapped, xdp: ['pf0', 'tap0', 'vf0'].map((device) => queryXdp(linkIndex(device))) };
  },

  async modes() {
    const dataPlane = await open();
    const attach = (device: string) => dataPlane.attach('steer_guest', linkIndex(device), device);
    const seen = { native: await attach('vf0'), again: await attach('vf0'), fallback: await attach('lo') };
    const missing = await failure(() => dataPlane.attach('steer_guest', 4242, 'nope'));
    dataPlane.detach(linkIndex('vf0'));
    dataPlane.detach(linkIndex('vf0'));
    const left = dataPlane.attachments();
    const uplink = await dataPlane.attach('steer_uplink', linkIndex('lo'), 'lo');
    const steerUplink = idOf(BpfProgram.fromPin(pins.program('steer_uplink')));
    const exchanged = { uplink, programId: queryXdp(linkIndex('lo'))?.programId, steerUplink };
    dataPlane.close();
    const adopted = await open();
    const afterwards = adopted.attachments();
    adopted.remove();
    const strict = await open({ xdpMode: 'native' });
    const refused = await failure(() => strict.attach('steer_guest', linkIndex('lo'), 'lo'));
    strict.remove();
    const generic = await open({ xdpMode: 'generic' });
    const asked = await generic.attach('steer_guest', linkIndex('vf0'), 'vf0');
    generic.remove();
    return { ...seen, missing, left, exchanged, afterwards, refused, asked };
  },

  /** The uplink's program for one device, through restarts and an upgrade. */
  async bound() {
    const withBound = { boundObjectPath };
    const network = new LinuxHostNetwork();
    const tells = (await network.links()).get('pf0')?.tellsHash;
    network.close();
    const now = () => {
      const programId = queryXdp(linkIndex('pf0'))?.programId ?? 0;
      const program = BpfProgram.fromId(programId);
      const { name: called } = program ?? { name: null };
      program?.close();
      return { called, pins: pins.listPrograms() };
    };
    const steps: Record<string, object> = {};
    const dataPlane = await open(withBound);
    const attachment = await dataPlane.attach('steer_uplink_hw', linkIndex('pf0'), 'pf0');
    steps['attached'] = { ...now(), attachment, runs: dataPlane.programRuns().map(({ program }) => program) };
    // It works on the pinned maps: a frame from the wire is counted there.
    const socket = new PacketSocket();
    socket.send(linkIndex('pf0-wire'), frame().ethernet({ from: REMOTE, to: MAC }).ip('192.0.2.9', '192.0.2.1').udp(1, 2).fillTo(100).build());
    await sleep(50);
    socket.close();
    const counted = dataPlane.tallies().flatMap(({ reasons }) => Object.entries(reasons).filter(([, { packets }]) => packets > 0).map(([reason]) => reason));
    const failed = await dataPlane.attach('steer_uplink_hw', linkIndex('lo'), 'lo');
    dataPlane.detach(linkIndex('lo'));
    dataPlane.close();
    const adopted = await open(withBound);
    steps['adopted'] = { ...now(), adopted: adopted.adopted, attachments: adopted.attachments() };
    await adopted.attach('steer_uplink', linkIndex('pf0'), 'pf0');
    steps['plain'] = now();
    await adopted.attach('steer_uplink_hw', linkIndex('pf0'), 'pf0');
    steps['again'] = now();
    adopted.close();
    const upgraded = await open({ ...withBound, flowsPerVnic: 512 });
    steps['upgraded'] = { ...now(), adopted: upgraded.adopted, attachments: upgraded.attachments() };
    await upgraded.attach('steer_uplink_hw', linkIndex('pf0'), 'pf0');
    upgraded.detach(linkIndex('pf0'));
    steps['detached'] = now();
    await upgraded.attach('steer_uplink_hw', linkIndex('pf0'), 'pf0');
    upgraded.remove();
    return { tells, counted, failed, steps, left: [now().called, pins.versions()], warnings };
  },

  /** A second data plane, whose programs are foreign to the first one's. */
  async foreign() {
    const other = await open({ pinsRoot: `${pinsRoot}-other` });
    await other.attach('steer_uplink', linkIndex('pf0'), 'pf0');
    const before = queryXdp(linkIndex('pf0'));
    const dataPlane = await open();
    const refused = await failure(() => dataPlane.attach('steer_uplink', linkIndex('pf0'), 'pf0'));
    const kept = queryXdp(linkIndex('pf0'));
    const attachments = dataPlane.attachments();
    const links = pins.listLinks();
    dataPlane.remove();
    other.remove();
    return { before, refused, kept, attachments, links };
  },

  async index() {
    const dataPlane = await open();
    const macs = collidingMacs(5);
    for (const [i, mac] of macs.slice(0, 4).entries()) dataPlane.writeVnic(i + 1, row({ mac }));
    const full = await failure(() => dataPlane.writeVnic(5, row({ mac: macs[4] ?? MAC })));
    const taken = await failure(() => dataPlane.writeVnic(6, row({ mac: macs[0] ?? MAC })));
    const changeToFull = await failure(() => dataPlane.writeVnic(4, row({ mac: macs[4] ?? MAC })));
    const ids = [...dataPlane.vnics().keys()];
    dataPlane.deleteVnic(2);
    dataPlane.writeVnic(5, row({ mac: macs[4] ?? MAC }));
    dataPlane.writeVnic(5, row({ mac: macs[4] ?? MAC, tapFrameMax: 999 }));
    dataPlane.writeVnic(1, row({ mac: MAC, vlans: [9, 0] }));
    dataPlane.writeVnic(2, row({ mac: macs[0] ?? MAC }));
    const wrongIds = [await failure(() => dataPlane.writeVnic(0, row())), await failure(() => dataPlane.path(64))];
    const rows = [...dataPlane.vnics()].map(([id, { mac, vlans, tapFrameMax }]) => [id, mac, vlans, tapFrameMax]);
    dataPlane.remove();
    return { macs, full, taken, changeToFull, ids, wrongIds, rows };
  },

  async deletion() {
    const dataPlane = await open();
    await equip(dataPlane);
    const maps = ['flows', 'counters', 'vnic_slots', 'seen_addresses'].map((map) => RawMap.fromPin(pins.map(map)));
    const [flows, counters, slots, addresses] = maps as [RawMap, RawMap, RawMap, RawMap];
    // As the planner does: the guest's own kernel sends now and then, and is counted as long as its port leads to the vNIC.
    for (const device of ['tap0', 'vf0']) dataPlane.writePort(linkIndex(device), null);
    // The neighbours' rows must survive.
    for (const at of [255, 256, 511, 512]) flows.set(encode(u32, at), Buffer.alloc(flowCodec.size, 0xff));
    for (const id of [0, 1, 2]) counters.set(encode(u32, id), Buffer.alloc(counters.entrySize, 0xff));
    for (const id of [1, 2]) {
      addresses.set(encode(u32, id), Buffer.alloc(addresses.valueSize, 0xff));
      dataPlane.hold(id, 60_000, 4096);
    }
    const wasSeen = dataPlane.seenAddresses(1);
    dataPlane.deleteVnic(1);
    dataPlane.deleteVnic(1);
    const keys = [...slots.entries()].map(([, value]) => hostMaps.vnic_slots.value.read(value).key).filter((key) => key !== 0n);
    const isZero = (map: RawMap, at: number) => map.get(encode(u32, at))?.every((byte) => byte === 0);
    const seen = {
      vnics: [...dataPlane.vnics()], path: dataPlane.path(1), steering: dataPlane.steering(1, 'vf'),
      flows: [255, 256, 511, 512].map((at) => isZero(flows, at)), counters: [0, 1, 2].map((id) => isZero(counters, id)),
      addresses: keys.filter((key) => ifindexOf(key) === null).length,
      ports: keys.filter((key) => ifindexOf(key) !== null).length,
      held: [1, 2].map((id) => dataPlane.isHeld(id)), seen: [wasSeen, ...[1, 2].map((id) => dataPlane.seenAddresses(id))].map(({ ipv4, ipv6 }) =>
        [ipv4?.toString('hex') ?? null, ipv6?.length ?? null]),
    };
    for (const map of maps) map.close();
    dataPlane.remove();
    return seen;
  },

  /** The guest moves itself by sending on its VF, and answers a control frame. */
  async events() {
    const dataPlane = await open();
    await equip(dataPlane);
    dataPlane.changePath(1, { path: 'software', vfAllowed: true });
    const before = dataPlane.path(1);
    const events: DataPlaneEvent[] = [];
    const second: DataPlaneEvent[] = [];
    const stop = dataPlane.onEvent((event) => events.push(event));
    dataPlane.onEvent((event) => second.push(event));
    const socket = new PacketSocket();
    const data = frame().ethernet({ from: MAC, to: REMOTE }).ip('10.0.0.1', '10.0.0.2').udp(1000, 2000).payload('hello').build();
    socket.send(linkIndex('vf0-guest'), data);
    const moved = await until(() => second.length === 1);
    stop();
    const drained = frame().ethernet({ from: MAC, to: '01:80:c2:00:00:0e' }).control({ command: 2, sequence: 77 }).build();
    socket.send(linkIndex('tap0-guest'), drained);
    const answered = await until(() => second.length === 2);
    socket.close();
    const tally = dataPlane.tallies().find(({ id }) => id === 1);
    const after = dataPlane.path(1);
    dataPlane.remove();
    return { before, moved, answered, events, second, after, tally, bytes: data.length, controlBytes: drained.length };
  },

  /** A flow is learnt, read, lost with its vNIC, and brought back to another row, aged, and on another queue: the programs find it there. */
  async learntFlows() {
    const dataPlane = await open();
    await equip(dataPlane);
    const queues = { queues: 2, reta: new Array<number>(ContractLimit.RETA_SIZE).fill(0), queueCpus: [0, 1], hashTypes: DEFAULT_HASH_TYPES, rssRow: 0, nicHash: false };
    const socket = new PacketSocket();
    const rfsHits = (id: number): number => dataPlane.tallies().find((tally) => tally.id === id)?.reasons.redirect_rfs?.packets ?? 0;
    const seeds = [1, 2, 3].map((id) => dataPlane.learntFlows(id).seed);
    socket.send(linkIndex('tap0-guest'), frame().ethernet({ from: MAC, to: REMOTE }).ip('10.0.0.1', '10.0.0.2').udp(1000, 2000).payload('hello').build());
    await until(() => dataPlane.learntFlows(1).flows.length === 1);
    const learnt = dataPlane.learntFlows(1);
    dataPlane.deleteVnic(1);
    const forgotten = dataPlane.learntFlows(1);
    dataPlane.writeVnic(2, row());
    dataPlane.writeSteering(2, 'vf', queues);
    dataPlane.changePath(2, { path: 'accelerated', vfAllowed: true });
    const toGuest = frame().ethernet({ from: REMOTE, to: MAC }).ip('10.0.0.2', '10.0.0.1').udp(2000, 1000).payload('hello').build();
    socket.send(linkIndex('pf0-wire'), toGuest);
    await sleep(50);
    const hitsBefore = rfsHits(2);
    const brought = { ...learnt, flows: learnt.flows.map((flow) => ({ ...flow, queue: 1, ageMs: 5000 })) };
    const taken = dataPlane.writeLearntFlows(2, { ...brought, flows: [...brought.flows, { slot: 200, tag: 1, queue: 0, ageMs: 120_000 }] });
    const readBack = dataPlane.learntFlows(2);
    socket.send(linkIndex('pf0-wire'), toGuest);
    await until(() => rfsHits(2) > 0);
    const hitsAfter = rfsHits(2);
    socket.close();
    dataPlane.remove();
    return { seeds, learnt, forgotten, hitsBefore, taken, readBack, hitsAfter };
  },

  /** A redirect to a veth whose peer cannot take frames. */
  async redirectErrors() {
    const dataPlane = await open();
    await equip(dataPlane);
    const socket = new PacketSocket();
    const data = frame().ethernet({ from: REMOTE, to: MAC }).ip('10.0.0.2', '10.0.0.1').udp(2000, 1000).payload('hello').build();
    socket.send(linkIndex('pf0-wire'), data);
    await until(() => dataPlane.redirectErrors().length > 0);
    socket.close();
    const errors = dataPlane.redirectErrors();
    const reasons = dataPlane.tallies().find(({ id }) => id === 1)?.reasons.redirect_single;
    dataPlane.remove();
    return { errors, reasons, pf0: linkIndex('pf0') };
  },

  async gone() {
    const dataPlane = await open();
    await equip(dataPlane);
    process.stderr.write('ready\n');
    await until(() => linkIndex('vf0') === 0);
    const attachments = dataPlane.attachments().length;
    const links = pins.listLinks().length;
    const refused = await failure(() => dataPlane.writeTxPort(4242, true));
    const txPorts = dataPlane.txPorts().size;
    dataPlane.close();
    return { attachments, links, refused, txPorts };
  },

  async rssKeys() {
    const first = await open();
    const isRandom = [first.hostRssWish().keyIsRandom];
    first.close();
    const random = rssKey();
    const configured = Buffer.alloc(40, 0x5a);
    // What is in force is changed by the control plane, not by a start.
    const second = await open({ rssKey: configured });
    const seen = { adopted: second.adopted, kept: rssKey()?.equals(random ?? Buffer.alloc(0)) };
    second.remove();
    const third = await open({ rssKey: configured });
    isRandom.push(third.hostRssWish().keyIsRandom);
    const isConfigured = rssKey()?.equals(configured);
    third.remove();
    return { ...seen, isRandom, isConfigured, isZero: random?.every((byte) => byte === 0) };
  },

  /** The pins that a start leaves when it is killed before the end. */
  async halfMade() {
    const dataPlane = await open();
    dataPlane.writeVnic(1, row());
    dataPlane.close();
    setMeta(Buffer.alloc(metaCodec.size));
    const again = await open();
    const seen = { adopted: again.adopted, vnics: again.vnics().size };
    again.close();
    pins.remove(pins.map('metas'));
    pins.remove(pins.program('steer_queue'));
    const third = await open();
    const afterwards = { adopted: third.adopted, vnics: third.vnics().size };
    third.remove();
    return { seen, afterwards };
  },

  /** An upgrade that is killed between two links: one runs the new program, the others the old one. */
  async halfUpgrade() {
    const settings = { flowsPerVnic: 256, maxVnics: 64, netns: 1 };
    const { object } = await loadObject(objectPath, settings, reusablePins(pins, settings), () => undefined);
    setMeta(encode(metaCodec, { contractVersion: ContractLimit.CONTRACT_VERSION, cpusMapId: 0, objectSha256: Buffer.alloc(32), capturing: 0 }));
    for (const program of ['steer_uplink', 'steer_guest', 'steer_queue']) object.program(program).pin(pins.program(`${program}-next`));
    const link = XdpLink.fromPin(pins.link(linkIndex('vf0')));
    link.replace(object.program('steer_guest'));
    link.close();
    object.close();
    return null;
  },

  async openFails() {
    return failure(() => open());
  },
};

await printScenario(scenarios, name);
