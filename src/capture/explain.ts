/**
 * What the programs would do with a frame now, and why, step by step. The decision is the reference model's; what is added here are
 * the rows that it was made of. Changes nothing. Pure, given the state.
 */
import {
  ContractLimit, EventKind, PathBit, PortRole, Reason, reasonNames, VnicPath, type FlowRecord, type SeenAddresses, type Steering,
} from '../../maps/generated/contract.js';
import ipaddr from 'ipaddr.js';
import type { Explanation, FlowRecordStatus } from '../control/protocol.js';
import { macText } from '../core/model.js';
import type { Work } from '../core/packet/decision.js';
import { type Ethernet, parseEthernet } from '../core/packet/ethernet.js';
import { flowSlot, type FlowSlot } from '../core/packet/flows.js';
import { isHolding, isReleasing } from '../core/packet/hold.js';
import { L4, type Packet, parsePacket } from '../core/packet/ip.js';
import { type Arrival, decide, type Decision, type Effect, type PacketState, portKey } from '../core/packet/model.js';
import { type HashedFields, hashedFields } from '../core/packet/rss.js';
import { ticksSince16 } from '../core/packet/ticks.js';
import { isAccelerated } from '../core/packet/vnic_path.js';
import { summarize } from './dissect.js';
import { reasonTexts } from './reason_texts.js';
import { hex32, type Names } from './words.js';

const { FLOW_EXPIRY, PORTS_PER_VNIC, QUEUE_UNREACHABLE, QUIET_TICKS, RETA_SIZE } = ContractLimit;

/** @param names of interfaces and vNICs */
export function explain(state: PacketState, names: Names, frame: Uint8Array, arrival: Arrival, secondsPerTick: number): Explanation {
  const decision = decide(state, frame, arrival);
  const work: Work = { state, arrival, frame, effects: [], fresh: false };
  const ethernet = parseEthernet(frame, arrival.firstBuffer ?? frame.length);
  const packet = ethernet === null ? null : parsePacket(ethernet);
  const facts = { state, names, arrival, decision, work, ethernet, packet, secondsPerTick };
  const target = targetFacts(facts);
  const queue = queueFacts(facts);
  const tag = tagFacts(facts);
  const { verdict, vnic, hash, bucket } = decision;
  const reason = decision.reason === null ? null : reasonNames[decision.reason];
  const summary = summarize(Buffer.from(frame), frame.length);
  const changes = decision.effects.flatMap((effect) => changeText(effect, facts));
  const steps = [
    {
      step: 'arrives',
      text: `on ${names.link(arrival.ifindex)}, receive queue ${arrival.rxQueue}, CPU ${arrival.cpu}: ${arrival.program}`,
    },
    { step: 'frame', text: `${summary}, ${frame.length} bytes` },
    ...senderSteps(facts),
    ...destinationSteps(facts),
    ...holdSteps(facts),
    ...target.steps,
    ...queue.steps,
    ...tag.steps,
    ...(decision.target === 0 ? [] : [{ step: 'target', text: targetText(facts) }]),
    ...changes.map((text) => ({ step: 'changes', text })),
    { step: 'verdict', text: `${verdict.toUpperCase()}${reason === null ? '' : ` ${reason}: ${reasonTexts[reason]}`}` },
  ];
  return {
    summary,
    length: frame.length,
    interface: names.link(arrival.ifindex),
    program: arrival.program,
    rx_queue: arrival.rxQueue,
    cpu: arrival.cpu,
    verdict,
    reason,
    reason_text: reason === null ? null : reasonTexts[reason],
    vnic: vnic === 0 ? null : names.vnic(vnic),
    path: target.path,
    target: decision.target === 0 ? null : names.link(decision.target),
    target_port: decision.target === 0 ? null : decision.role === null ? 'uplink' : portName(decision.role),
    queue: decision.queue,
    handed_to_cpu: decision.cpu,
    hash: hash === null || queue.hashed === 'nothing' ? null : hex32(hash),
    hashed: queue.hashed,
    rss_row: queue.rssRow,
    bucket,
    bucket_queue: queue.bucketQueue,
    flow_slot: queue.slot,
    learnt: queue.learnt,
    steered: queue.steered,
    draining: decision.reason === Reason.REDIRECT_DRAIN,
    tag: tag.tag,
    tag_vlan: tag.vlan,
    changes,
    steps,
  };
}

type Steps = Explanation['steps'];

interface Facts {
  readonly state: PacketState;
  readonly names: Names;
  readonly arrival: Arrival;
  readonly decision: Decision;
  readonly work: Work;
  readonly ethernet: Ethernet | null;
  readonly packet: Packet | null;
  readonly secondsPerTick: number;
}

const portName = (role: PortRole): 'tap' | 'vf' => (role === PortRole.VF ? 'vf' : 'tap');
const vlanText = (vlan: number): string => (vlan === 0 ? 'untagged' : `VLAN ${vlan}`);

/** Reasons that are given before anyone asks where the frame goes. */
const REFUSED: ReadonlySet<Reason> = new Set([
  Reason.DROP_SPOOFED_MAC,
  Reason.DROP_SPOOFED_VLAN,
  Reason.DROP_SPOOFED_ARP,
  Reason.DROP_SPOOFED_ND,
  Reason.DROP_SPOOFED_IP,
  Reason.DROP_CONTROL,
  Reason.CONTROL,
  Reason.PASS_UNKNOWN_PORT,
  Reason.PASS_RUNT,
]);

/** From a guest: who it is, and whether it may. */
function senderSteps({ arrival, decision, names, state }: Facts): Steps {
  if (arrival.program !== 'steer_guest' || decision.reason === Reason.PASS_RUNT) return [];
  const owner = state.index.get(portKey(arrival.ifindex));
  if (owner === undefined) return [{ step: 'sender', text: 'the port belongs to no vNIC' }];
  const port = `${portName(owner.role)} port of ${names.vnic(owner.vnic)}`;
  const refused = decision.reason !== null && REFUSED.has(decision.reason) && decision.reason !== Reason.CONTROL;
  return [{ step: 'sender', text: `${port}; ${refused ? 'refused' : 'its addresses and VLAN are its own'}` }];
}

function destinationSteps(facts: Facts): Steps {
  const { decision, names, ethernet } = facts;
  const { reason } = decision;
  if (ethernet === null || (reason !== null && REFUSED.has(reason))) return [];
  if (ethernet.multicast) return [{ step: 'lookup', text: `${macText(ethernet.bytes)} is a group address` }];
  const address = `${macText(ethernet.bytes)}, ${vlanText(ethernet.vlan)},`;
  if (reason === Reason.PASS_UNKNOWN_MAC)
    return [{ step: 'lookup', text: `${address} is no other vNIC and no station known behind the uplink` }];
  if (reason === Reason.REDIRECT_UPLINK || (decision.role === null && decision.target !== 0))
    return [{ step: 'lookup', text: `${address} is a station behind the uplink` }];
  if (decision.vnic === 0) return [];
  if (!isFor(decision.vnic, facts)) return [];
  return [{ step: 'lookup', text: `${address} is ${names.vnic(decision.vnic)}` }];
}

/** Of a vNIC whose frames are kept back, or were. */
function holdSteps(facts: Facts): Steps {
  const { decision, state, names } = facts;
  const { reason, vnic: id } = decision;
  const path = state.paths.get(id);
  if (path === undefined || (path.word & BigInt(PathBit.HOLD)) === 0n || reason === null) return [];
  const isMeant = reason === Reason.HELD || reason === Reason.DROP_HOLD_FULL || STEERED.has(reason) || reason === Reason.PASS_SOFTWARE;
  if (!isMeant || !isFor(id, facts)) return [];
  const text = (words: string): Steps => [{ step: 'hold', text: `${names.vnic(id)} ${words}` }];
  const left = Number(path.holdUntilNs - state.nowNs) / 1e9;
  if (!isHolding(path, state.nowNs)) return text(`is marked as changing its path, but the hold ended by itself ${(-left).toFixed(2)} s ago`);
  const ring = state.holds.get(id);
  if (ring === undefined) return text('is marked as changing its path, but there is nothing that frames could wait in');
  const room = `${ring.taken} of ${ring.size} bytes are taken`;
  if (isReleasing(path)) {
    return text(`has changed its path: ${ring.taken > 0 ? `what waited is being delivered, ${room}` : 'all that waited is delivered'}`);
  }
  return text(`changes its path and hears on neither for now: frames wait, for ${left.toFixed(2)} s more at most; ${room}`);
}

interface TargetFacts {
  readonly path: 'software' | 'accelerated' | null;
  readonly steps: Steps;
}

/** Reasons that are given after the vNIC's path was looked at. */
const STEERED: ReadonlySet<Reason> = new Set([
  Reason.REDIRECT_RSS,
  Reason.REDIRECT_RFS,
  Reason.REDIRECT_SINGLE,
  Reason.REDIRECT_DRAIN,
  Reason.PASS_OVERSIZE,
  Reason.PASS_NO_TRANSMIT,
  Reason.PASS_MULTI_BUFFER,
  Reason.PASS_SAME_PORT,
  Reason.PASS_NO_TARGET,
  Reason.PASS_NO_HEADROOM,
]);

function targetFacts(facts: Facts): TargetFacts {
  const { decision, state, names } = facts;
  const { reason, vnic: id } = decision;
  const vnic = state.vnics.get(id);
  const path = state.paths.get(id);
  if (id === 0 || vnic === undefined || path === undefined) return { path: null, steps: [] };
  const accelerated = isAccelerated(vnic, path);
  const word = accelerated ? 'accelerated' : 'software';
  if (reason === null || !isFor(id, facts)) return { path: word, steps: [] };
  if (reason === Reason.PASS_SOFTWARE) {
    return { path: word, steps: [{ step: 'path', text: `${names.vnic(id)} is on the ${word} path, without cut-through` }] };
  }
  if (!STEERED.has(reason)) return { path: word, steps: [] };
  const [ifindex, most] = accelerated ? [vnic.vfIfindex, vnic.vfFrameMax] : [vnic.tapIfindex, vnic.tapFrameMax];
  const text = `${names.vnic(id)} is on the ${word} path: ${names.link(ifindex)}, frames up to ${most} bytes`;
  return { path: word, steps: [{ step: 'path', text }] };
}

/** Is the frame for this vNIC, and not only from it? */
function isFor(id: number, { state, arrival }: Facts): boolean {
  return arrival.program === 'steer_uplink' || state.index.get(portKey(arrival.ifindex))?.vnic !== id;
}

interface QueueFacts {
  readonly steps: Steps;
  readonly hashed: HashedFields | null;
  readonly rssRow: number | null;
  readonly bucketQueue: number | null;
  readonly slot: number | null;
  readonly learnt: FlowRecordStatus | null;
  readonly steered: FlowRecordStatus | null;
}

const NO_QUEUE: QueueFacts = { steps: [], hashed: null, rssRow: null, bucketQueue: null, slot: null, learnt: null, steered: null };

function queueFacts(facts: Facts): QueueFacts {
  const { decision, state, work, packet, secondsPerTick } = facts;
  if (decision.role === null || packet === null) return NO_QUEUE;
  const steering = state.steerings.get(decision.vnic * PORTS_PER_VNIC + decision.role);
  if (steering === undefined || steering.queues <= 1) return { ...NO_QUEUE, steps: [{ step: 'queue', text: 'the port has one queue' }] };
  const slot = flowSlot(work, decision.vnic, packet, false);
  const record = (of: FlowRecord): FlowRecordStatus | null =>
    of.valid === 0
      ? null
      : { queue: of.queue, age_seconds: round(ticksSince16(of.seen, state.tick) * secondsPerTick), of_this_flow: of.tag === slot?.tag };
  const [learnt, steered] = slot === null ? [null, null] : [record(slot.flow.learnt), record(slot.flow.steered)];
  const hashed = decision.hash === null ? null : hashedFields(packet, steering.hashTypes);
  const bucketQueue = decision.bucket === null ? null : (steering.reta[decision.bucket] ?? 0);
  const steps = [
    { step: 'rfs', text: slot === null ? noSlotText(packet) : flowText(slot, facts, steering) },
    ...(decision.hash === null ? [] : [{ step: 'rss', text: rssText(decision.hash, hashed, steering, decision.bucket, bucketQueue) }]),
    { step: 'queue', text: queueText(decision, steering, facts) },
  ];
  return { steps, hashed, rssRow: hashed === null ? null : steering.rssRow, bucketQueue, slot: slot === null ? null : slot.row % state.knobs.flowsPerVnic, learnt, steered };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

function noSlotText({ family, fragment, l4 }: Packet): string {
  if (family === 0) return 'not IP, so no flow that could have been learnt';
  if (fragment) return 'a fragment has no ports, so no flow that could have been learnt';
  return l4 === L4.none ? 'a protocol without ports, or a header cut short: no flow that could have been learnt' : 'flows are not learnt';
}

function flowText({ row, tag, flow: { learnt, steered } }: FlowSlot, facts: Facts, steering: Steering): string {
  const { tick, knobs } = facts.state;
  const seconds = (ticks: number): string => `${(ticks * facts.secondsPerTick).toFixed(2)} s`;
  const age = (record: FlowRecord): number => ticksSince16(record.seen, tick);
  const [slot, slots] = [row % knobs.flowsPerVnic, knobs.flowsPerVnic];
  let first: string;
  if (learnt.valid === 0) first = 'the guest has not sent this flow';
  else if (learnt.tag !== tag) first = `the guest has not sent this flow; the slot is another one's for ${seconds(age(learnt))}`;
  else if (age(learnt) > FLOW_EXPIRY)
    first = `the guest sent this flow on queue ${learnt.queue}, but ${seconds(age(learnt))} ago, which is too long`;
  else first = `the guest sends this flow on queue ${learnt.queue}, last noted ${seconds(age(learnt))} ago`;
  if (
    learnt.valid !== 0 &&
    learnt.tag === tag &&
    (learnt.queue >= steering.queues || steering.queueCpus[learnt.queue] === QUEUE_UNREACHABLE)
  )
    first += ', which no CPU reaches';
  const drained = age(steered) < QUIET_TICKS ? ' (not yet drained)' : '';
  let second: string;
  if (steered.valid === 0) second = 'no frame was steered here yet';
  else if (steered.tag !== tag) second = `the last frame steered by this slot was another flow's, ${seconds(age(steered))} ago`;
  else
    second = `its last frame went to queue ${steered.queue}, noted ${seconds(age(steered))} ago${drained}`;
  return `slot ${slot} of ${slots}: ${first}; ${second}`;
}

function rssText(hash: number, hashed: string | null, steering: Steering, bucket: number | null, queue: number | null): string {
  const over = hashed === 'nothing' ? 'over nothing: such frames are not hashed' : `over ${hashed ?? ''} with key row ${steering.rssRow}`;
  return `hash ${hex32(hash)} ${over} -> bucket ${bucket} of ${RETA_SIZE} -> queue ${queue}`;
}

function queueText(decision: Decision, steering: Steering, { arrival }: Facts): string {
  const { queue, cpu } = decision;
  const of = `queue ${queue} of ${steering.queues}`;
  if (cpu !== null) return `${of}, which CPU ${arrival.cpu} does not reach: handed over to CPU ${cpu}`;
  return `${of}, which CPU ${arrival.cpu} reaches itself`;
}

function tagFacts({ decision, ethernet, work }: Facts): {
  readonly tag: Explanation['tag'];
  readonly vlan: number | null;
  readonly steps: Steps;
} {
  if (decision.target === 0 || ethernet === null) return { tag: null, vlan: null, steps: [] };
  // Put before it, and taken off by the second stage.
  const out = decision.cpu === null ? decision.frame : decision.frame.subarray(8);
  const after = parseEthernet(out, out.length);
  if (after === null) return { tag: null, vlan: null, steps: [] };
  const before = work.frame.length;
  if (out.length < before)
    return { tag: 'taken_off', vlan: ethernet.vlan, steps: [{ step: 'tag', text: `VLAN ${ethernet.vlan} is taken off` }] };
  if (out.length > before) return { tag: 'put_in', vlan: after.vlan, steps: [{ step: 'tag', text: `VLAN ${after.vlan} is put in` }] };
  if (after.vlan === ethernet.vlan) return { tag: 'kept', vlan: ethernet.vlan, steps: [] };
  return { tag: 'changed', vlan: after.vlan, steps: [{ step: 'tag', text: `VLAN ${ethernet.vlan} becomes ${after.vlan}` }] };
}

function targetText({ decision, names }: Facts): string {
  const link = names.link(decision.target);
  if (decision.role === null) return `${link}, the uplink`;
  const queue = decision.queue === null ? '' : `, queue ${decision.queue}`;
  return `${link}, ${portName(decision.role)} port of ${names.vnic(decision.vnic)}${queue}`;
}

/** What the frame itself would change for the frames after it; counters are not mentioned. */
function changeText(effect: Effect, { names, state }: Facts): string[] {
  switch (effect.kind) {
    case 'path': {
      const before = state.paths.get(effect.vnic);
      const [from, to] = [Number((before?.word ?? 0n) & 0xffn), Number(effect.path.word & 0xffn)];
      return from === to
        ? []
        : [`${names.vnic(effect.vnic)} would move to the ${to === 1 ? 'accelerated' : 'software'} path: receive follows transmit`];
    }
    case 'learnt': {
      if (effect.record.valid === 0) return ['what was learnt of this flow would be forgotten'];
      return [`queue ${effect.record.queue} would be noted as the one on which the guest sends this flow`];
    }
    case 'steered':
      return [`queue ${effect.record.queue} would be noted as the one where the flow's last frame went`];
    case 'remote':
      return effect.remote.key === 0n ? ['the station would be forgotten'] : ['the sender would be noted as a station behind the uplink'];
    case 'held':
      return [`${effect.held.length} bytes of it would wait for ${names.vnic(effect.vnic)}, which takes ${effect.record} bytes of its ring`];
    case 'seen': {
      const before = state.seen.get(effect.vnic) ?? { ipv4: 0, ipv6: [0, 0, 0, 0] };
      const isKnown = ipv6Text(before) === ipv6Text(effect.seen);
      if (isKnown && before.ipv4 === effect.seen.ipv4) return [];
      return [`${isKnown ? ipv4Text(effect.seen) : ipv6Text(effect.seen)} would be noted as an address that ${names.vnic(effect.vnic)} uses`];
    }
    case 'event': {
      const { kind, vnic, path } = effect.event;
      if (kind !== EventKind.HEARD) return [];
      return [`unipathd would be told that ${names.vnic(vnic)} hears on the ${path === VnicPath.ACCELERATED ? 'accelerated' : 'software'} path`];
    }
    default:
      return [];
  }
}

function ipv4Text({ ipv4 }: SeenAddresses): string {
  return [24, 16, 8, 0].map((shift) => (ipv4 >>> shift) & 0xff).join('.');
}

function ipv6Text({ ipv6 }: SeenAddresses): string {
  return ipaddr.fromByteArray(ipv6.flatMap((word) => [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff))).toString();
}
