import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { Endpoint } from '../../src/lab/traffic/client.js';
import type { FlowSpec } from '../../src/lab/traffic/protocol.js';
import { sumTimelines } from '../../src/lab/traffic/timeline.js';
import { DRAIN_MS, Traffic } from '../../src/lab/traffic/traffic.js';
import { openUdpSocket } from '../../src/native/socket.js';
import { createNetns, ip, netnsTest } from '../support/netns.js';

interface Pair {
  readonly left: string;
  readonly right: string;
}

/** Two namespaces joined by a veth pair `v0`, with addresses .1 and .2. */
function createPair(t: ExecutionContext): Pair {
  const left = createNetns(t, 'left');
  const right = createNetns(t, 'right');
  ip(left, `link add v0 type veth peer name v0 netns ${right}`);
  for (const [netns, host] of [[left, 1], [right, 2]] as const) {
    ip(netns, `address add 10.9.0.${host}/24 dev v0`);
    ip(netns, `address add fd09::${host}/64 dev v0 nodad`);
    ip(netns, 'link set dev v0 up');
  }
  return { left, right };
}

async function startEndpoint(t: ExecutionContext, netns: string): Promise<Endpoint> {
  const endpoint = await Endpoint.start(netns);
  t.teardown(() => endpoint.close());
  return endpoint;
}

function flowSpec(id: number, family: 4 | 6, packetsPerSecond: number, more: Partial<FlowSpec> = {}): FlowSpec {
  const [from, to] = family === 4 ? ['10.9.0.1', '10.9.0.2'] : ['fd09::1', 'fd09::2'];
  return {
    id,
    family,
    from: { address: from, port: 20_000 + id },
    to: { address: to, port: 7000 },
    packetsPerSecond,
    sizes: [64, 1400, 32, 512],
    echoEvery: 0,
    ...more,
  };
}

async function pairWithTraffic(t: ExecutionContext) {
  const pair = createPair(t);
  const [left, right] = await Promise.all([startEndpoint(t, pair.left), startEndpoint(t, pair.right)]);
  return { pair, left, right, traffic: new Traffic() };
}

/** A bad wire: forwards datagrams that reach 10.9.0.1 port 9000 to the flow's sink, with faults, and says how many it made. */
function openBadRelay(t: ExecutionContext, netns: string, { to }: FlowSpec) {
  const address = { address: '10.9.0.1', port: 9000 };
  const relay = { address, lost: 0, doubled: 0, delayed: 0, damaged: 0, beheaded: 0 };
  const socket = createSocket('udp4');
  socket.bind({ fd: openUdpSocket({ ...address, receiveBufferBytes: 1 << 20, netns: `/run/netns/${netns}` }) });
  t.teardown(() => socket.close());
  const forward = (datagram: Buffer): void => socket.send(datagram, to.port, to.address);
  let count = 0;
  let held: Buffer | null = null;
  socket.on('message', (datagram) => {
    count++;
    const kind = count % 100;
    if (kind === 7) {
      relay.lost++;
      return;
    }
    if (kind === 23) {
      // Lost, unless there are two more to let it pass.
      relay.lost++;
      held = datagram;
      return;
    }
    if (kind === 31) {
      relay.doubled++;
      forward(datagram);
    }
    if (kind === 43) {
      relay.damaged++;
      datagram[150] = (datagram[150] ?? 0) ^ 4;
    }
    if (kind === 57) {
      // Whose it was cannot be known any more, so its flow also lost it.
      relay.beheaded++;
      relay.lost++;
      datagram[9] = (datagram[9] ?? 0) ^ 1;
    }
    forward(datagram);
    if (held !== null && kind === 25) {
      forward(held);
      held = null;
      relay.lost--;
      relay.delayed++;
    }
  });
  return relay;
}

netnsTest.serial('over a quiet wire every datagram of every flow arrives once, in order and intact', async (t) => {
  const { traffic, left, right } = await pairWithTraffic(t);
  for (let id = 0; id < 4; id++) await traffic.addFlow(flowSpec(id, id % 2 ? 6 : 4, 1000), left, right);
  await traffic.addFlow(flowSpec(9, 4, 1000, { echoEvery: 2 }), left, right);
  const before = await traffic.mark();
  await traffic.start();
  await sleep(1500);
  await traffic.stop();
  const { total, streams } = await traffic.account(before, await traffic.mark());
  t.is(streams.length, 6);
  t.like(total, { lost: 0, duplicated: 0, reordered: 0, corrupt: 0 });
  t.is(total.received, total.sent);
  t.true(total.sent > 4000 && total.sent < 12_000, `${total.sent} datagrams in 1.5 s`);
  const echo = streams.find(({ stream }) => stream === 'echo');
  const forward = streams.find(({ flow, stream }) => flow.id === 9 && stream === 'forward');
  t.is(echo?.account.sent, Math.floor((forward?.account.sent ?? 0) / 2));
  t.true(total.latency.p50Us > 1 && total.latency.p50Us < 100_000);

  const drawn = sumTimelines((await traffic.timelines()).map(({ timeline }) => timeline));
  t.is(drawn.packets.reduce((a, b) => a + b, 0), total.received);
  const { errors } = await right.snapshot();
  t.deepEqual(errors, { foreign: 0, damagedHeaders: 0, misdelivered: 0, kernelChecksumErrors: 0, kernelBufferErrors: 0 });
});

netnsTest.serial('a wire that loses, doubles, delays and damages datagrams is found out, to the last of them', async (t) => {
  const { pair, left, right } = await pairWithTraffic(t);
  const spec = flowSpec(1, 4, 2000, { sizes: [200] });
  const relay = openBadRelay(t, pair.left, spec);
  await right.addSink(spec);
  await left.addSource({ ...spec, to: relay.address });
  await left.startFlows([1]);
  await sleep(1000);
  await left.stopFlows([1]);
  await sleep(DRAIN_MS);
  const sent = (await left.sent())[0]?.sent ?? 0;
  const range = { flow: 1, stream: 'forward', from: 0, to: sent } as const;
  const [account] = await right.account([range]);
  t.true(sent > 1000);
  const { lost, doubled: duplicated, delayed: reordered, damaged: corrupt } = relay;
  t.like(account, { sent, lost, received: sent - lost, duplicated, reordered, corrupt });
  for (const kind of ['lost', 'doubled', 'delayed', 'damaged', 'beheaded'] as const) t.true(relay[kind] > 0, kind);
  t.like((await right.snapshot()).errors, { damagedHeaders: relay.beheaded, misdelivered: 0 });
  const runs = await right.missing(range, 10_000);
  t.is(runs.reduce((sum, [first, last]) => sum + last - first + 1, 0), relay.lost);
});

netnsTest.serial('a step is accounted for by itself while the next one runs, and a cut wire belongs to its step', async (t) => {
  const { pair, traffic, left, right } = await pairWithTraffic(t);
  await traffic.addFlow(flowSpec(1, 4, 1000), left, right);
  const start = await traffic.mark();
  await traffic.start();
  await sleep(500);
  const cut = await traffic.mark();
  ip(pair.right, 'link set dev v0 down');
  await sleep(200);
  ip(pair.right, 'link set dev v0 up');
  // The other side learns of its carrier up to a second later.
  await sleep(1500);
  const healed = await traffic.mark();
  await sleep(500);
  const [first, second] = [await traffic.account(start, cut), await traffic.account(cut, healed)];
  await traffic.stop();
  const third = await traffic.account(healed, await traffic.mark());
  t.is(first.total.lost, 0);
  t.true(second.total.lost >= 100, `${second.total.lost} lost in 200 ms of 1000 a second`);
  t.true((second.total.longestGap?.lengthNs ?? 0) >= 150e6);
  t.is(third.total.lost, 0);
  t.true(third.total.sent > 0);
});

netnsTest.serial('a datagram for a flow that lives elsewhere is counted as misdelivered', async (t) => {
  const { traffic, left, right } = await pairWithTraffic(t);
  await traffic.addFlow(flowSpec(1, 4, 500), left, right);
  // A second source whose sink was never opened: its datagrams reach the socket of the first.
  await left.addSource(flowSpec(2, 4, 500));
  await left.startFlows([2]);
  await sleep(300);
  await left.stopFlows([2]);
  const { errors } = await right.snapshot();
  t.true(errors.misdelivered > 50);
});

netnsTest.serial('an address that does not answer fails the probe and says which', async (t) => {
  const { traffic, left, right } = await pairWithTraffic(t);
  const spec = flowSpec(1, 4, 500);
  await t.throwsAsync(traffic.addFlow({ ...spec, to: { address: '10.9.0.77', port: 7000 } }, left, right), { message: /EADDRNOTAVAIL/ });
  await left.addSource(spec);
  await t.throwsAsync(left.probe(1, 300), { message: /10\.9\.0\.2 port 7000 did not answer within 300 ms/ });
});

netnsTest.serial('the TCP stream goes both ways, sees a cut wire as a stall and lives', async (t) => {
  const { pair, traffic, left, right } = await pairWithTraffic(t);
  const tcp = { id: 1, family: 6, from: 'fd09::1', to: { address: 'fd09::2', port: 7100 }, bytesPerSecond: 400_000 } as const;
  await traffic.addTcp(tcp, left, right);
  await traffic.startTcp(1);
  await sleep(500);
  const smooth = await traffic.tcpReport(1);
  t.true(smooth.alive);
  ip(pair.right, 'route add blackhole fd09::1');
  await sleep(300);
  ip(pair.right, 'route del blackhole fd09::1');
  await sleep(1500);
  await traffic.stopTcp(1);
  const { client, server, alive, longestStallMs } = await traffic.tcpReport(1);
  t.true(alive, JSON.stringify([client.errors, server.errors]));
  t.is(server.bytesReceived, client.bytesSent);
  t.is(client.bytesReceived, server.bytesSent);
  t.is(client.wrongWords + server.wrongWords, 0);
  t.true(longestStallMs >= 200, `stall of ${longestStallMs} ms`);
  t.true(client.bytesSent > 400_000);
});

netnsTest.serial('an endpoint ends with whoever started it', async (t) => {
  const endpoint = await Endpoint.start(createNetns(t));
  const { pid } = endpoint;
  t.notThrows(() => process.kill(pid, 0));
  const before = performance.now();
  await endpoint.close();
  t.true(performance.now() - before < 2000, 'by itself, not killed');
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  await t.throwsAsync(endpoint.snapshot(), { message: /traffic endpoint in upt-/ });
});
