/** Frames are spread by the RSS hash that the NIC has computed: one of QEMU's, whose key is not unipath's. */
import { fileURLToPath } from 'node:url';
import { createNetns, ip, runModuleIn } from '../support/netns.js';
import { sriovTest, unipathDone, unipathJson, useMachine } from './bed.js';
import { GUEST_MAC, type Kind, KINDS, NIC_KEY, NIC_MAC, OWN_KEY, queuesBy } from './hashed_flows.js';
import type { Steered } from './nic_hash_scenario.js';

const scenario = fileURLToPath(new URL('./nic_hash_scenario.js', import.meta.url));
const TAP = 'hashing';
const SOCKET = '/run/unipath.sock';
const ALL = Object.keys(KINDS) as Kind[];
let outside = '';

useMachine({ adapters: [], hashing: { mac: NIC_MAC, tap: TAP, queues: 2 } }, (t) => {
  outside = createNetns(t, 'hashing');
  ip(outside, `tuntap add ${TAP} mode tap multi_queue vnet_hdr`);
  ip(outside, `link set ${TAP} up`);
  return outside;
});

sriovTest('frames are spread by the hash that the NIC tells; by their own where it tells none, or is not asked', async (t, machine) => {
  const run = async (words: string): Promise<unknown> => {
    const said = await machine.run(`${process.execPath} ${scenario} ${words} 2>/run/scenario.log || cat /run/scenario.log`, { deadlineMs: 60_000 });
    t.true(said.startsWith('{'), said);
    return JSON.parse(said);
  };
  const steer = (hash: 'nic' | 'own') => run(`steer ${hash}`) as Promise<Steered>;
  const nic = (await machine.run(`basename $(dirname $(grep -l ${NIC_MAC} /sys/class/net/*/address))`)).trim();
  const key = NIC_KEY.replace(/..(?=.)/g, '$&:');
  for (const line of [
    `ip link set ${nic} up promisc on && ethtool -K ${nic} rxhash on && ethtool -X ${nic} hkey ${key}`,
    'ip netns add g0 && ip link add tap-g0 numtxqueues 2 numrxqueues 2 type veth peer name eth0 numtxqueues 2 numrxqueues 2 netns g0',
    'ip link set tap-g0 up && ip -n g0 link set eth0 up && ip netns exec g0 ethtool -K eth0 gro on',
  ]) await machine.run(line);
  const deltas = async (kinds: readonly Kind[], hash: 'nic' | 'own'): Promise<Record<string, number[]>> => {
    const seen: Record<string, number[]> = {};
    let { queues } = await steer(hash);
    for (const kind of kinds) {
      await runModuleIn(outside, new URL('./send_flows.js', import.meta.url), TAP, kind);
      const before = queues;
      ({ queues } = await steer(hash));
      seen[kind] = queues.map((count, i) => count - (before[i] ?? 0));
    }
    return seen;
  };
  const { attachment, reta } = await steer('nic');
  t.like(attachment, { program: 'steer_uplink_hw', mode: 'native', insteadOf: null });
  const by = (hashKey: string, kinds: readonly Kind[]) => Object.fromEntries(kinds.map((kind) => [kind, queuesBy(kind, hashKey, reta)]));
  for (const kind of ALL) t.notDeepEqual(queuesBy(kind, NIC_KEY, reta), queuesBy(kind, OWN_KEY, reta), `${kind}: the keys must make a difference`);
  t.deepEqual(await deltas(ALL, 'nic'), by(NIC_KEY, ALL));
  const some = ALL.slice(0, 1);
  t.deepEqual(await deltas(some, 'own'), by(OWN_KEY, some));
  await machine.run(`ethtool -K ${nic} rxhash off`);
  t.deepEqual(await deltas(some, 'nic'), by(OWN_KEY, some));
  await run('remove');

  // And unipathd, told to have the NIC's key, asks the NIC by itself.
  await machine.run(`ethtool -K ${nic} rxhash on && ip link add br0 type bridge && ip link set ${nic} master br0 && ip link set tap-g0 master br0 && ip link set br0 up`);
  const config = `socket: ${SOCKET}
pins: /sys/fs/bpf/unipath
rss: {key: nic}
adapters: [{name: nic0, uplink: ${nic}, bridge: br0}]
vnics: [{name: g0, mac: "${GUEST_MAC}", adapter: nic0, tap: tap-g0, guest: {netns: g0}, policy: software}]`;
  await machine.run(`cat > /run/unipath.yaml <<'END'\n${config}\nEND`);
  await machine.run(`${process.execPath} ${machine.project}/build/src/daemon.js --config /run/unipath.yaml > /run/unipathd.log 2>&1 &`);
  const { answer: status, status: code } = await unipathJson(machine, `-S ${SOCKET} status --wait 60`);
  t.is(code, 0, JSON.stringify(status) + (await machine.run('tail -n 20 /run/unipathd.log')));
  const { answer: rss } = await unipathJson(machine, `-S ${SOCKET} rss show`);
  t.like(rss, { key: NIC_KEY, key_source: 'configuration', key_problem: null });
  const programs = await unipathDone(machine, `-S ${SOCKET} prog list -d`);
  t.regex(programs, new RegExp(`^steer_uplink_hw-\\d+ +xdp +${nic} +native$`, 'm'));
  await unipathDone(machine, `-S ${SOCKET} down`);
}, { long: true });
