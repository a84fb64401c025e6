/** `unipath map` and `unipath prog` on pinned maps and programs, without a daemon: what they show is what is there. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { hostMaps } from '../../maps/generated/contract.js';
import { hostObjectPath } from '../../src/paths.js';
import { createNetns, ip, run as runIn, runModuleIn } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const kernelTest = testWith(
  needs.root(), needs.bpffs(), needs.tool('ip'), needs.tool('nsenter'), needs.tool('sysctl'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'),
).serial;
const scenarios = new URL('./pinned_scenarios.js', import.meta.url);
const PINS = `/sys/fs/bpf/unipath-test-pinned-${process.pid}`;
let runs = 0;

test.after.always(() => rmSync(PINS, { recursive: true, force: true }));

/** In a namespace with an uplink and a tap, both veths. */
async function run<T>(t: ExecutionContext, scenario: string): Promise<T> {
  const pins = join(PINS, String(++runs));
  t.teardown(() => rmSync(pins, { recursive: true, force: true }));
  const netns = createNetns(t);
  // Nothing of its own may be on its devices: the one frame is ours.
  runIn(netns, 'sysctl', '-q', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1');
  for (const device of ['pf0', 'tap0']) {
    ip(netns, `link add ${device} type veth peer name ${device}-far`);
    for (const end of [device, `${device}-far`]) ip(netns, `link set dev ${end} up`);
  }
  return (await runModuleIn(netns, scenarios, scenario, pins)) as T;
}

interface Shown {
  readonly code: number;
  readonly json: any;
  readonly text: string;
}

kernelTest('maps and programs, in words and as JSON', async (t) => {
  const seen = await run<Readonly<Record<string, Shown>>>(t, 'looked');
  const shown = (command: string): Shown => seen[command] as Shown;
  for (const [command, { code, text }] of Object.entries(seen)) {
    if (['unknown', 'elsewhere'].includes(command)) continue;
    t.is(code, 0, command);
    t.not(text, '', command);
  }
  t.deepEqual(shown('map list').json.maps.map(({ name }: { name: string }) => name), Object.keys(hostMaps));
  const stats = new Map<string, { entries: number | null }>(shown('map stats').json.maps.map((map: { name: string }) => [map.name, map]));
  t.deepEqual(['vnics', 'tx_ports', 'steerings', 'events', 'tap_programs'].map((map) => stats.get(map)?.entries), [1, 1, 1, null, 0]);
  t.is(stats.get('vnic_slots')?.entries, 2, 'its address and its port');

  const [vnic] = shown('map dump vnics').json.entries;
  t.like(vnic, { key: 1, name: '52:54:00:00:00:01', value: { mac: '52:54:00:00:00:01', flags: ['cut_through', 'plugin'], tap_frame_max: 1514 } });
  t.regex(shown('map dump vnics').text, /^KEY\s+NAME\s+VALUE\n +1 {2}52:54:00:00:00:01 {2}tap_ifindex=\d+ .* mac=52:54:00:00:00:01/);
  const [counted] = shown('map dump counters').json.entries;
  t.is(counted.key, 1);
  t.like(counted.values[0].value.reasons, { drop_spoofed_mac: { packets: 1 } });
  t.is(shown('map dump tx_ports').json.entries[0].name, 'tap0');
  t.deepEqual(shown('map dump steerings').json.entries.map(({ name }: { name: string }) => name), ['52:54:00:00:00:01 tap']);
  t.is(shown('map dump events').json.entries, null);

  const programs = new Map<string, any>(shown('prog list').json.programs.map((program: { name: string }) => [program.name, program]));
  t.deepEqual(programs.get('steer_uplink').attached, [{ hook: 'xdp', place: 'pf0', mode: 'native' }]);
  t.deepEqual(programs.get('steer_guest').attached, [{ hook: 'xdp', place: 'tap0', mode: 'generic' }]);
  t.is(programs.get('steer_tap').attached[0]?.place, 'tap0');
  t.true(programs.get('steer_queue').attached.length > 0);
  t.deepEqual(programs.get('observe_devmap').attached, [{ hook: 'tracepoint', place: 'xdp_devmap_xmit', mode: null }]);
  for (const { tag, id } of programs.values()) t.true(/^[0-9a-f]{16}$/.test(tag) && id > 0);
  t.like(shown('prog stats').json.verdicts.find(({ reason }: { reason: string }) => reason === 'drop_spoofed_mac'), { verdict: 'drop', packets: 1 });
  t.regex(shown('prog stats').text, /\ndrop +drop_spoofed_mac +1 +\d+\n/);

  t.like(seen['unknown'], { code: 2, err: 'unipath: there is no map "vnicz"\n  did you mean "vnics"?\n' });
  t.like(seen['elsewhere'], { code: 1 });
});

kernelTest('what only looks cannot write', async (t) => {
  const { refused, same } = await run<{ refused: string | null; same: boolean }>(t, 'readOnly');
  t.regex(refused ?? '', /EPERM/);
  t.true(same);
});
