import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { compileReflector } from '../../src/lab/qemu/reflector_build.js';
import { askReflectorRanges, type ReflectorReport } from '../../src/lab/qemu/reflector.js';
import { Endpoint } from '../../src/lab/traffic/client.js';
import { encodeDatagram, STREAMS, type Stream } from '../../src/lab/traffic/datagram.js';
import type { FlowSpec } from '../../src/lab/traffic/protocol.js';
import { DRAIN_MS } from '../../src/lab/traffic/traffic.js';
import { openUdpSocket } from '../../src/native/socket.js';
import { createNetns, run } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const reflectorTest = testWith(needs.root(), needs.tool('ip'), needs.tool('nsenter'), needs.tool('gcc'), needs.tool('setpriv'));

const flow: FlowSpec = {
  id: 7, family: 4, from: { address: '127.0.0.1', port: 20_007 }, to: { address: '127.0.0.1', port: 7000 }, packetsPerSecond: 1000, sizes: [32, 1400, 99], echoEvery: 3,
};

/** The program under its name in a namespace, until the test ends. Returns how to ask it. */
async function startReflector(t: ExecutionContext, netns: string, name: string, ...args: readonly string[]) {
  const program = await compileReflector();
  const words = ['--pdeathsig', 'KILL', '--', 'nsenter', `--net=/run/netns/${netns}`, program, name, ...args];
  const child: ChildProcess = spawn('setpriv', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const ask = (command = 'report'): ReflectorReport => {
    const answer = execFileSync('nsenter', [`--net=/run/netns/${netns}`, program, name, command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return JSON.parse(answer) as ReflectorReport;
  };
  for (let tries = 0; ; tries++) {
    try {
      ask();
      return { ask, child };
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(20);
    }
  }
}

async function startEndpoint(t: ExecutionContext, netns: string): Promise<Endpoint> {
  const endpoint = await Endpoint.start(netns);
  t.teardown(() => endpoint.close());
  return endpoint;
}

function openSocket(t: ExecutionContext, netns: string): Promise<Socket> {
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const fd = openUdpSocket({ address: '127.0.0.1', port: 0, receiveBufferBytes: 1 << 20, netns: `/run/netns/${netns}` });
  return new Promise((resolve) => socket.bind({ fd }, () => resolve(socket)));
}

reflectorTest.serial('the reflector and an endpoint count the same, answers included', async (t) => {
  const netns = createNetns(t);
  const { ask, child } = await startReflector(t, netns, 'udp', 'udp', '7000', '--echo-every', '3');
  const endpoint = await startEndpoint(t, netns);
  const [v4, v6] = [flow, { ...flow, id: 0xfffffff0, family: 6 as const, from: { address: '::1', port: 20_008 }, to: { address: '::1', port: 7000 } }];
  for (const spec of [v4, v6]) {
    await endpoint.addSource(spec);
    await endpoint.probe(spec.id);
  }
  await endpoint.startFlows([v4.id, v6.id]);
  await sleep(1000);
  await endpoint.stopFlows([v4.id, v6.id]);
  await sleep(DRAIN_MS);
  const report = ask();
  t.like(report, { foreign: 0, damagedHeaders: 0, misdelivered: 0, socketDrops: 0, sendErrors: 0 });
  for (const { id } of [v4, v6]) {
    const sent = (await endpoint.sent()).find((each) => each.flow === id && each.stream === 'forward')?.sent ?? 0;
    const there = report.flows.find((each) => each.flow === id);
    t.true(sent > 500, `${sent} sent`);
    const clean = { lost: 0, duplicated: 0, reordered: 0, corrupt: 0 };
    t.like(there, { stream: 'forward', received: sent, highest: sent - 1, echoed: Math.floor(sent / 3), beyond: 0, missing: [], ...clean });
    const [echo] = await endpoint.account([{ flow: id, stream: 'echo', from: 0, to: there?.echoed ?? 0 }]);
    t.like(echo, { received: there?.echoed, ...clean });
    // An answer carries the time of what it answers.
    t.true((echo?.latency.p50Us ?? 0) > 1 && (echo?.latency.p50Us ?? 1e9) < 1e6);
  }
  const pause = ask('lap').flows[0]?.longestGapMs ?? -1;
  t.true(pause > 0);
  t.is(ask().flows[0]?.longestGapMs, 0);
  ask('quit');
  await new Promise((resolve) => child.once('exit', resolve));
  t.throws(() => ask(), { message: /none runs under the name udp/ });
});

reflectorTest.serial('what is lost, doubled, late, damaged or not for it is counted as that', async (t) => {
  const netns = createNetns(t);
  const { ask } = await startReflector(t, netns, 'udp', 'udp', '7000');
  const socket = await openSocket(t, netns);
  const make = (sequence: number, stream: Stream = STREAMS.forward): Buffer =>
    encodeDatagram({ flow: 1, stream, sequence, sentNs: 123_456_789_012_345, length: 201 });
  const damaged = (datagram: Buffer, at: number): Buffer => {
    datagram[at] = (datagram[at] ?? 0) ^ 4;
    return datagram;
  };
  const sent = [
    ...[0, 1, 2, 4, 3, 3, 6, 7].map((sequence) => make(sequence)),
    damaged(make(8), 200), damaged(make(9), 100), make(10).subarray(0, 180),
    damaged(make(11), 9), make(5, STREAMS.echo), Buffer.from('something else'), Buffer.alloc(500),
    make(15), make(1_100_000), make(70_000_000),
  ];
  for (const datagram of sent) {
    await new Promise((resolve) => socket.send(datagram, 7000, '127.0.0.1', resolve));
  }
  await sleep(100);
  const report = ask();
  t.like(report, { foreign: 2, damagedHeaders: 1, misdelivered: 1, socketDrops: 0 });
  const [counted] = report.flows;
  t.like(counted, { flow: 1, received: 12, highest: 1_100_000, lost: 1_100_001 - 12, duplicated: 1, reordered: 1, corrupt: 3, beyond: 1, echoed: 0 });
  t.deepEqual(counted?.missing, [[5, 5], [11, 14], [16, 1_099_999]]);
});

reflectorTest.serial('what became of a range of numbers is told, whatever came before and after', async (t) => {
  const netns = createNetns(t);
  await startReflector(t, netns, 'udp', 'udp', '7000');
  const program = await compileReflector();
  const guest = { run: async (line: string) => execFileSync('nsenter', [`--net=/run/netns/${netns}`, 'sh', '-c', line.replaceAll('reflector', program)], { encoding: 'utf8' }) };
  const socket = await openSocket(t, netns);
  const send = async (id: number, sequence: number, change = (datagram: Buffer): Buffer => datagram): Promise<void> => {
    const datagram = change(encodeDatagram({ flow: id, stream: STREAMS.forward, sequence, sentNs: 1, length: 100 }));
    await new Promise((resolve) => socket.send(datagram, 7000, '127.0.0.1', resolve));
  };
  // 0 to 99 whole, the next hundred with one of each fault and a pause before 150, then 0 to 9 of another flow.
  for (let number = 0; number < 200; number++) {
    if (number === 110 || number === 111 || number === 130) continue;
    if (number === 150) await sleep(300);
    await send(1, number, number === 120 ? (datagram) => datagram.fill(0, 90) : undefined);
  }
  await send(1, 130);
  await send(1, 140);
  for (let number = 0; number < 10; number++) await send(2, number);
  await sleep(100);
  const [first, second, tail, other, none] = await askReflectorRanges(guest, 'udp', [
    { flow: 1, from: 0, to: 100 },
    { flow: 1, from: 100, to: 200 },
    { flow: 1, from: 190, to: 220 },
    { flow: 2, from: 0, to: 10 },
    { flow: 3, from: 0, to: 5 },
  ]);
  const clean = { duplicated: 0, reordered: 0, corrupt: 0 };
  t.like(first, { received: 100, missing: [], ...clean });
  t.like(second, { received: 98, duplicated: 1, reordered: 1, corrupt: 1 });
  t.deepEqual(second?.missing, [[110, 111]]);
  t.is(second?.longestGap?.sequence, 150);
  // Of 300 ms, what 149 was late by is missing on a busy machine.
  const gapNs = second?.longestGap?.lengthNs ?? 0;
  t.true(gapNs >= 150e6 && gapNs < 10e9, `${gapNs} ns`);
  t.like(tail, { received: 10, ...clean });
  t.deepEqual(tail?.missing, [[200, 219]]);
  t.like(other, { received: 10, missing: [], ...clean });
  t.like(none, { received: 0, longestGap: null, ...clean });
  t.deepEqual(none?.missing, [[0, 4]]);
});

reflectorTest.serial('the reflector talks at its rate, and counts the answers', async (t) => {
  const netns = createNetns(t);
  const endpoint = await startEndpoint(t, netns);
  await endpoint.addSink({ ...flow, id: 9, echoEvery: 2 });
  const { ask } = await startReflector(t, netns, 'talk', 'talk', '127.0.0.1', '7000', '--flow', '9', '--rate', '500', '--size', '700');
  await sleep(1000);
  ask('stop');
  await sleep(DRAIN_MS);
  const report = ask();
  t.false(report.running);
  t.true(report.sent > 300 && report.sent < 1000, `${report.sent} sent in a second`);
  const [account] = await endpoint.account([{ flow: 9, stream: 'forward', from: 0, to: report.sent }]);
  const clean = { lost: 0, duplicated: 0, reordered: 0, corrupt: 0 };
  t.like(account, { received: report.sent, ...clean });
  t.like(report.flows[0], { flow: 9, stream: 'echo', received: Math.floor(report.sent / 2), ...clean });
  ask('start');
  await sleep(200);
  t.true(ask('stop').sent > report.sent);
});

reflectorTest.serial('a TCP stream to the reflector goes both ways, and a wrong word is found', async (t) => {
  const netns = createNetns(t);
  const { ask } = await startReflector(t, netns, 'tcp', 'tcp', '7100', '--rate', '400000');
  const endpoint = await startEndpoint(t, netns);
  await endpoint.connectTcp({ id: 1, family: 4, from: '127.0.0.1', to: { address: '127.0.0.1', port: 7100 }, bytesPerSecond: 400_000 });
  await endpoint.startTcp(1);
  await sleep(1000);
  await endpoint.stopTcp(1);
  ask('stop');
  await sleep(DRAIN_MS);
  const [here, there] = [await endpoint.tcpReport(1), ask().connections[0]];
  t.true(here.alive, JSON.stringify(here.errors));
  t.true(here.bytesSent > 200_000 && here.bytesReceived > 200_000);
  t.like(there, { connected: true, wrongWords: 0, error: null, bytesReceived: here.bytesSent, bytesSent: here.bytesReceived });
  t.is(here.wrongWords, 0);

  run(netns, 'bash', '-c', 'head -c 64 /dev/zero > /dev/tcp/127.0.0.1/7100');
  await sleep(100);
  t.like(ask().connections[1], { connected: false, bytesReceived: 64, wrongWords: 8 });
});

reflectorTest.serial('the reflector says what is wrong with its arguments', async (t) => {
  const program = await compileReflector();
  const netns = createNetns(t);
  const failing = (...args: readonly string[]): string => {
    try {
      execFileSync('nsenter', [`--net=/run/netns/${netns}`, program, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      return 'no error';
    } catch (error) {
      return (error as { stderr: string }).stderr;
    }
  };
  t.regex(failing('x', 'talk', 'nowhere', '7000', '--rate', '1'), /"nowhere" is not an IP address/);
  t.regex(failing('x', 'udp', '70000'), /"70000" is not a number from 0 to 65535/);
  t.regex(failing('x', 'udp', '7000', '--rate', '5'), /see the head of reflector\.c/);
  t.regex(failing('x', 'talk', '127.0.0.1', '7000', '--rate', '0'), /see the head of reflector\.c/);
});
