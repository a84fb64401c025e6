/** The data plane on real devices: every way it can start, what it writes, what it must not touch, and that nothing is left. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { ContractLimit, hostMaps } from '../../maps/generated/contract.js';
import type { Attachment } from '../../src/dataplane/port.js';
import { hostObjectPath, pluginObjectPath } from '../../src/paths.js';
import { createNetns, ip, runModuleIn } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const NEEDS = [
  needs.root(), needs.bpffs(), needs.tool('ip'), needs.tool('nsenter'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'),
];
const kernelTest = testWith(...NEEDS).serial;
const bpftoolTest = testWith(...NEEDS, needs.tool('bpftool')).serial;
const scenarios = new URL('./dataplane_scenarios.js', import.meta.url);
const BPFFS = '/sys/fs/bpf';
const VERSION_FOLDER = `v${ContractLimit.CONTRACT_VERSION}`;

interface Bed {
  readonly netns: string;
  readonly pins: string;
  /** Runs a scenario in the namespace; its answer, field by field as the test expects it. */
  run<T = Record<string, unknown>>(scenario: string, object?: string): Promise<T>;
}

test.after.always(() => rmSync(join(BPFFS, `unipath-test-${process.pid}`), { recursive: true, force: true }));

let beds = 0;

/** A namespace with a PF, a tap and a VF port (all veths: `-wire` and `-guest` are their far ends). Its `lo` has no native XDP. */
function makeBed(t: ExecutionContext): Bed {
  const pins = join(BPFFS, `unipath-test-${process.pid}`, String(++beds));
  // Before the namespace's, so that it runs after: links must not outlive the test in any order.
  t.teardown(() => {
    for (const folder of [pins, `${pins}-other`]) rmSync(folder, { recursive: true, force: true });
  });
  const netns = createNetns(t);
  for (const [device, peer] of [['pf0', 'pf0-wire'], ['tap0', 'tap0-guest'], ['vf0', 'vf0-guest']] as const) {
    ip(netns, `link add ${device} type veth peer name ${peer}`);
    for (const end of [device, peer]) ip(netns, `link set dev ${end} up`);
  }
  return {
    netns,
    pins,
    run: async <T>(scenario: string, object?: string) => {
      return (await runModuleIn(netns, scenarios, scenario, pins, ...(object === undefined ? [] : [object]))) as T;
    },
  };
}

interface Seen {
  readonly adopted: boolean;
  readonly attachments: readonly Attachment[];
  readonly warnings: readonly string[];
}

interface Opened {
  readonly seen: Seen & Record<string, unknown>;
  readonly ids: Record<string, unknown>;
  readonly pinned: readonly string[];
}

/** The object file with a byte more: other programs, as far as anyone can tell. */
function otherObject(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'other.bpf.o');
  copyFileSync(hostObjectPath, path);
  appendFileSync(path, '\0');
  return path;
}

kernelTest('a first start writes, attaches and pins everything', async (t) => {
  const { seen, ids, pinned } = await makeBed(t).run<Opened>('equip');
  t.false(seen.adopted);
  t.deepEqual(seen.warnings, []);
  t.deepEqual(seen.attachments.map(({ program, mode, fallbackReason }) => [program, mode, fallbackReason]), [
    ['steer_uplink', 'native', null], ['steer_guest', 'native', null], ['steer_guest', 'native', null],
  ]);
  const [pf0, tap0, vf0] = seen.attachments.map(({ ifindex }) => ifindex);
  t.deepEqual(seen.vnics, [[1, {
    mac: '52:54:00:00:00:01', vlans: [0], access: false, addresses: ['10.0.0.1', '2001:db8::/64'], maxRate: 700, tapIfindex: tap0, vfIfindex: vf0,
    uplinkIfindex: pf0, tapFrameMax: 1514, vfFrameMax: 1514, uplinkFrameMax: 1514, tapMultiBuffer: false, vfMultiBuffer: true,
    uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false, cutThrough: false, plugin: true, operatorWant: 'accelerated',
  }]]);
  t.deepEqual(seen.path, { path: 'accelerated', vfAllowed: true, hold: 'none', generation: 1 });
  t.deepEqual(seen.ports, [[tap0, { vnic: 1, role: 'tap' }], [vf0, { vnic: 1, role: 'vf' }]].sort(([a], [b]) => Number(a) - Number(b)));
  t.deepEqual(seen.txPorts, [pf0, tap0, vf0].sort((a = 0, b = 0) => a - b));
  t.like(seen.steeringVf, { queues: 1, queueCpus: [0] });
  t.is(seen.steeringTap, null);
  t.deepEqual(seen.tallyIds, [0, 1]);
  t.true(ids.cpusRunSteerQueue);
  t.is(ids.flowRows, 64 * 256);
  for (const pin of ['maps/metas', 'maps/vnics', 'programs/steer_queue', `links/${pf0}`, 'tracing/observe_devmap']) {
    t.true(pinned.includes(pin), pin);
  }
});

kernelTest('after a close, the next start adopts everything as it is', async (t) => {
  const bed = makeBed(t);
  const first = await bed.run<Opened>('equip');
  const second = await bed.run<Opened>('reopen');
  t.deepEqual(second.seen, { ...first.seen, adopted: true });
  t.deepEqual(second.ids, first.ids);
  t.deepEqual(second.pinned, first.pinned);
});

kernelTest('after a SIGKILL the programs stay, and the next start adopts them', async (t) => {
  const bed = makeBed(t);
  const command = [`--net=/run/netns/${bed.netns}`, process.execPath, fileURLToPath(scenarios), 'hold', bed.pins];
  const child = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => void child.kill('SIGKILL'));
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  const before = JSON.parse(text.toString()) as Seen;
  child.kill('SIGKILL');
  await once(child, 'close');
  t.regex(ip(bed.netns, '-d link show dev pf0'), /prog\/xdp id \d+/);
  const { seen } = await bed.run<Opened>('reopen');
  t.deepEqual(seen, { ...before, adopted: true });
});

kernelTest('another object takes over maps and links, without a moment of no program', async (t) => {
  const bed = makeBed(t);
  const first = await bed.run<Opened>('equip');
  const other = otherObject(t);
  const second = await bed.run<Opened>('reopen', other);
  t.deepEqual(second.seen, { ...first.seen, adopted: false });
  t.deepEqual(second.pinned, first.pinned);
  const { program: _, xdp: _x, ...same } = first.ids;
  t.like(second.ids, same);
  t.not(second.ids.program, first.ids.program);
  t.deepEqual(second.ids.xdp, { programId: second.ids.program, mode: 'native' });
  const third = await bed.run<Opened>('reopen', other);
  t.true(third.seen.adopted);
  t.deepEqual(third.ids, second.ids);
});

kernelTest('other settings are another program; only the learnt flows are left behind', async (t) => {
  const bed = makeBed(t);
  const first = await bed.run<Opened>('equip');
  const second = await bed.run<Opened>('otherSettings');
  t.deepEqual(second.seen, { ...first.seen, adopted: false });
  t.is(second.ids.flowRows, 64 * 512);
  t.is(second.ids.vnics, first.ids.vnics);
  t.deepEqual(second.pinned, first.pinned);
});

kernelTest('an upgrade that was killed half-way is finished, or undone, by the next start', async (t) => {
  for (const finishWith of ['new', 'old'] as const) {
    const bed = makeBed(t);
    const first = await bed.run<Opened>('equip');
    const other = otherObject(t);
    await bed.run('halfUpgrade', other);
    const second = await bed.run<Opened>('reopen', finishWith === 'new' ? other : hostObjectPath);
    t.deepEqual(second.seen, { ...first.seen, adopted: false });
    t.deepEqual(second.pinned, first.pinned);
    const third = await bed.run<Opened>('reopen', finishWith === 'new' ? other : hostObjectPath);
    t.deepEqual(third.seen, { ...first.seen, adopted: true });
  }
});

kernelTest('half-made pins are removed and made anew', async (t) => {
  t.deepEqual(await makeBed(t).run('halfMade'), { seen: { adopted: false, vnics: 0 }, afterwards: { adopted: false, vnics: 0 } });
});

kernelTest('modes: native first, generic with the reason, never without being allowed', async (t) => {
  const seen = await makeBed(t).run('modes');
  t.like(seen.native, { program: 'steer_guest', mode: 'native', fallbackReason: null });
  t.deepEqual(seen.again, seen.native);
  t.like(seen.fallback, { mode: 'generic' });
  t.regex((seen.fallback as { fallbackReason: string }).fallbackReason, /^native XDP refused: .*EOPNOTSUPP/);
  t.regex(String(seen.missing), /NativeError: .*ifindex 4242/);
  t.deepEqual(seen.left, [seen.fallback]);
  const exchanged = seen.exchanged as { uplink: object; programId: number; steerUplink: number };
  t.like(exchanged.uplink, { program: 'steer_uplink', mode: 'generic' });
  t.is(exchanged.programId, exchanged.steerUplink);
  const fallbackReason = 'attached in generic mode by an earlier daemon';
  t.like(seen.afterwards as object[], [{ program: 'steer_uplink', mode: 'generic', fallbackReason }]);
  t.regex(String(seen.refused), /EOPNOTSUPP/);
  t.like(seen.asked, { mode: 'generic', fallbackReason: 'configured' });
});

testWith(...NEEDS, needs.kernel('6.9')).serial("an uplink's own program, which may ask its NIC: attached, adopted, exchanged, upgraded, and gone", async (t) => {
  interface Step {
    readonly called: string | null;
    readonly pins: readonly string[];
    readonly adopted?: boolean;
    readonly attachment?: Attachment;
    readonly attachments?: readonly Attachment[];
    readonly runs?: readonly string[];
  }
  interface Bound {
    readonly tells: boolean; readonly counted: readonly string[]; readonly failed: Attachment; readonly steps: Record<string, Step>;
    readonly left: readonly unknown[]; readonly warnings: readonly string[];
  }
  const { tells, counted, failed, steps, left, warnings } = await makeBed(t).run<Bound>('bound');
  t.log(JSON.stringify(warnings));
  t.true(tells, 'a veth tells programs the hash');
  const isBound = (what: string, bound: boolean): void => {
    t.is(steps[what]?.called, bound ? 'steer_uplink_hw' : 'steer_uplink', what);
    t.is(steps[what]?.pins.some((name) => name.startsWith('steer_uplink_hw-')), bound, what);
  };
  for (const what of ['attached', 'adopted', 'again']) isBound(what, true);
  for (const what of ['plain', 'upgraded']) isBound(what, false);
  t.like(steps['attached']?.attachment, { program: 'steer_uplink_hw', mode: 'native', insteadOf: null });
  t.true(steps['attached']?.runs?.includes('steer_uplink_hw'));
  // What the kernel itself says by IPv6 when a device is up comes when it will.
  t.deepEqual(counted.filter((reason) => reason !== 'pass_multicast'), ['pass_unknown_mac']);
  t.like(failed, { program: 'steer_uplink', mode: 'generic', insteadOf: 'steer_uplink_hw' });
  t.deepEqual(warnings, ['lo: its NIC is not asked for its hash: it runs in generic mode']);
  t.like(steps['adopted'], { adopted: true });
  t.like(steps['adopted']?.attachments?.[0], { program: 'steer_uplink_hw' });
  t.like(steps['upgraded'], { adopted: false });
  t.like(steps['upgraded']?.attachments?.[0], { program: 'steer_uplink' });
  t.like(steps['detached'], { called: null });
  t.false(steps['detached']?.pins.some((name) => name.startsWith('steer_uplink_hw-')));
  t.deepEqual(left, [null, []]);
});

kernelTest('a foreign program is named and left where it is', async (t) => {
  const seen = await makeBed(t).run('foreign');
  const { programId } = seen.before as { programId: number };
  t.deepEqual(seen.kept, seen.before);
  t.regex(String(seen.refused), new RegExp(`^ForeignProgramError: .*pf0.*another program \\(id ${programId}\\) .* is never displaced`));
  t.deepEqual([seen.attachments, seen.links], [[], []]);
});

kernelTest('the vNIC index: collisions, a full place, changed and reused entries', async (t) => {
  const seen = await makeBed(t).run<{
    macs: string[]; full: string; taken: string; changeToFull: string; ids: number[]; wrongIds: string[]; rows: unknown[];
  }>('index');
  t.regex(seen.full, /^VnicIndexFullError: no room in the vNIC index/);
  t.regex(seen.taken, new RegExp(`MAC address ${seen.macs[0]} on VLAN 0 is that of vNIC 1 already`));
  // Its own old entry counts as taken until the new one is there.
  t.regex(seen.changeToFull, /^VnicIndexFullError/);
  t.deepEqual(seen.ids, [1, 2, 3, 4]);
  t.regex(seen.wrongIds[0] ?? '', /RangeError: vNIC id 0 is not in 1\.\.63/);
  t.regex(seen.wrongIds[1] ?? '', /RangeError: vNIC id 64/);
  t.deepEqual(seen.rows, [
    [1, '52:54:00:00:00:01', [9, 0], 1514],
    [2, seen.macs[0], [0], 1514],
    [3, seen.macs[2], [0], 1514],
    [4, seen.macs[3], [0], 1514],
    [5, seen.macs[4], [0], 999],
  ]);
});

kernelTest('a deleted vNIC leaves no byte, and its neighbours keep theirs', async (t) => {
  t.deepEqual(await makeBed(t).run('deletion'), {
    vnics: [], path: { path: 'software', vfAllowed: false, hold: 'none', generation: 0 }, steering: null,
    flows: [false, true, true, false], counters: [false, true, false], addresses: 0, ports: 0,
    held: [false, true], seen: [['ffffffff', 16], [null, null], ['ffffffff', 16]],
  });
});

kernelTest('the guest moves itself and answers: events reach every listener until it stops', async (t) => {
  const seen = await makeBed(t).run('events');
  t.deepEqual(seen.before, { path: 'software', vfAllowed: true, hold: 'none', generation: 2 });
  t.true(seen.moved);
  t.true(seen.answered);
  const [moved, answered] = seen.second as Record<string, unknown>[];
  t.like(moved, { kind: 'path-changed', vnic: 1, path: 'accelerated', generation: 3 });
  t.like(answered, { kind: 'control', vnic: 1, command: 'drained', sequence: 77 });
  t.deepEqual(seen.events, [moved]);
  t.deepEqual(seen.after, { path: 'accelerated', vfAllowed: true, hold: 'none', generation: 3 });
  t.like(seen.tally, {
    fromVf: { packets: 1, bytes: seen.bytes }, fromTap: { packets: 1, bytes: seen.controlBytes }, pathChanges: 1,
    reasons: { control: { packets: 1, bytes: seen.controlBytes } },
  });
});

kernelTest('a frame lost after the decision is counted with its place and errno', async (t) => {
  const seen = await makeBed(t).run<{ errors: object[]; reasons: object; pf0: number }>('redirectErrors');
  t.like(seen.reasons, { packets: 1 });
  t.like(seen.errors, [{ kind: 'redirect', ifindex: seen.pf0, errno: 95, packets: '1' }]);
});

kernelTest('a device that goes takes its attachment and its target with it', async (t) => {
  const bed = makeBed(t);
  const command = [`--net=/run/netns/${bed.netns}`, process.execPath, fileURLToPath(scenarios), 'gone', bed.pins];
  const child = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => void child.kill('SIGKILL'));
  const printed = once(child.stdout, 'data') as Promise<[Buffer]>;
  await once(child.stderr, 'data');
  ip(bed.netns, 'link del vf0');
  const seen = JSON.parse((await printed)[0].toString()) as Record<string, unknown>;
  t.like(seen, { attachments: 2, links: 2, txPorts: 2 });
  t.regex(String(seen.refused), /EINVAL/);
  ip(bed.netns, 'link del tap0');
  const { seen: again, pinned } = await bed.run<Opened>('reopen');
  t.deepEqual([again.adopted, again.attachments.length], [true, 1]);
  t.is(pinned.filter((pin) => pin.startsWith('links/')).length, 1);
});

kernelTest('the RSS key is drawn once and kept, unless one is given to begin with', async (t) => {
  t.deepEqual(await makeBed(t).run('rssKeys'), { adopted: true, kept: true, isRandom: [true, false], isConfigured: true, isZero: false });
});

/** The kernel frees maps and programs a little later. */
async function vanishes(kind: 'map' | 'prog' | 'link', id: number): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    if (spawnSync('bpftool', [kind, 'show', 'id', String(id)]).status !== 0) return true;
    await sleep(30);
  }
  return false;
}

bpftoolTest('remove leaves nothing in the kernel and nothing on the bpffs', async (t) => {
  const bed = makeBed(t);
  interface Removed {
    readonly ids: { readonly maps: number[]; readonly programs: number[]; readonly links: number[]; readonly tracing: number[] };
    readonly xdp: readonly unknown[];
    readonly tapped: number;
  }
  const { ids, xdp, tapped } = await bed.run<Removed>('remove');
  t.deepEqual(xdp, [null, null, null]);
  t.is(tapped, 1);
  t.notRegex(execFileSync('tc', ['-n', bed.netns, 'qdisc', 'show', 'dev', 'tap0'], { encoding: 'utf8' }), /clsact/);
  t.deepEqual([ids.maps.length, ids.programs.length, ids.links.length, ids.tracing.length], [Object.keys(hostMaps).length, 4, 3, 4]);
  for (const id of ids.maps) t.true(await vanishes('map', id), `map ${id}`);
  for (const id of ids.programs) t.true(await vanishes('prog', id), `program ${id}`);
  for (const id of [...ids.links, ...ids.tracing]) t.true(await vanishes('link', id), `link ${id}`);
  t.false(existsSync(bed.pins));
});

bpftoolTest('a name that is not ours among the pins is refused, and stays', async (t) => {
  const bed = makeBed(t);
  await bed.run('equip');
  const stranger = join(bed.pins, VERSION_FOLDER, 'maps', 'stranger');
  execFileSync('bpftool', ['map', 'create', stranger, 'type', 'array', 'key', '4', 'value', '4', 'entries', '1', 'name', 'stranger']);
  t.regex(await bed.run('openFails'), /^PinnedStateError: .*holds what unipath did not put there: maps\/stranger; remove it/);
  t.true(existsSync(stranger));
  t.true(existsSync(join(bed.pins, VERSION_FOLDER, 'maps', 'vnics')));
});

kernelTest('pins of another contract version are not touched', async (t) => {
  const bed = makeBed(t);
  mkdirSync(join(bed.pins, 'v999', 'maps'), { recursive: true });
  t.regex(await bed.run('openFails'), /^PinnedStateError: .*contract version 999; take them down with that version/);
});

kernelTest('an object of another contract is refused before anything is pinned', async (t) => {
  const bed = makeBed(t);
  t.regex(await bed.run('openFails', pluginObjectPath), /^ContractMismatchError: .*map vnics: missing/);
  t.false(existsSync(bed.pins));
});

kernelTest('a folder that is on no bpffs is refused', async (t) => {
  const bed = makeBed(t);
  const answer = await runModuleIn(bed.netns, scenarios, 'openFails', join(tmpdir(), `unipath-test-${process.pid}`));
  t.regex(String(answer), /^NotOnBpffsError: .*mount -t bpf/);
});

kernelTest('learnt flows: every vNIC has a key of its own, and what was read of one is found in the row of another', async (t) => {
  interface Learnt {
    readonly seed: string;
    readonly slots: number;
    readonly flows: readonly { readonly slot: number; readonly tag: number; readonly queue: number; readonly ageMs: number }[];
  }
  interface Outcome {
    readonly seeds: readonly string[];
    readonly learnt: Learnt;
    readonly forgotten: Learnt;
    readonly hitsBefore: number;
    readonly taken: number;
    readonly readBack: Learnt;
    readonly hitsAfter: number;
  }
  const seen = await makeBed(t).run<Outcome>('learntFlows');
  t.is(new Set([...seen.seeds, '0']).size, 4);
  const [flow] = seen.learnt.flows;
  t.like(seen.learnt, { seed: seen.seeds[0], slots: 256 });
  t.like(flow, { queue: 0 });
  t.deepEqual([seen.forgotten.flows, seen.forgotten.seed === seen.seeds[0]], [[], false]);
  t.is(seen.hitsBefore, 0, 'another key: not known there');
  t.is(seen.taken, 1, 'the old one is not used any more');
  t.like(seen.readBack, { seed: seen.learnt.seed });
  t.like(seen.readBack.flows, [{ slot: flow?.slot, tag: flow?.tag, queue: 1 }]);
  t.true(Math.abs((seen.readBack.flows[0]?.ageMs ?? 0) - 5000) < 1000, `${seen.readBack.flows[0]?.ageMs} ms`);
  t.is(seen.hitsAfter, 1);
});
