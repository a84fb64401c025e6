/** A guest's end of the traffic, with a guest that is made up: what it is asked, and what is made of its answers. */
import test from 'ava';
import { GuestEnd, type GuestServices } from '../../../../src/lab/qemu/guest_end.js';
import type { FlowSpec } from '../../../../src/lab/traffic/protocol.js';

const services: GuestServices = {
  sinks: new Map([
    [7000, { service: 'echo', echoEvery: 1 }],
    [7001, { service: 'sink', echoEvery: 0 }],
  ]),
  tcp: { service: 'tcp', port: 7002 },
};

const flow = (id: number, change: Partial<FlowSpec> = {}): FlowSpec => ({
  id, family: 4, from: { address: '10.77.0.1', port: 6000 + id }, to: { address: '10.77.0.11', port: 7000 }, packetsPerSecond: 100, sizes: [64, 1400], echoEvery: 1,
  ...change,
});

const report = (change: object = {}): object => ({
  sent: 0, skipped: 0, sendErrors: 0, lastSendError: null, foreign: 0, damagedHeaders: 0, misdelivered: 0, socketDrops: 0, flows: [], connections: [], ...change,
});

/** A guest that answers each command line with these lines, and remembers what it was asked. */
function guestThat(answers: Readonly<Record<string, readonly object[]>>) {
  const asked: string[] = [];
  return {
    asked,
    run: async (line: string): Promise<string> => {
      asked.push(line);
      const found = answers[line];
      if (found === undefined && line.includes('reflector') && !line.endsWith('&')) throw new Error(`nobody expects \`${line}\``);
      return (found ?? []).map((each) => `${JSON.stringify(each)}\n`).join('');
    },
  };
}

const range = { received: 0, duplicated: 0, reordered: 0, corrupt: 0, longestGap: null, missing: [] };

test('ranges are asked of the program that receives them, each program once, and come back in the order asked', async (t) => {
  const gap = { sequence: 3, startNs: 1, lengthNs: 5e6 };
  const guest = guestThat({
    'reflector echo account 1 0 10 3 5 25': [{ accounts: [{ ...range, received: 9, longestGap: gap }, { ...range, received: 20, duplicated: 2, reordered: 1, corrupt: 3 }] }],
    'reflector sink account 2 100 200': [{ accounts: [{ ...range, received: 100 }] }],
  });
  const end = new GuestEnd('g1', guest, services);
  for (const each of [flow(1), flow(2, { to: { address: '10.77.0.11', port: 7001 }, echoEvery: 0 }), flow(3)]) await end.addSink(each);
  const accounts = await end.account([
    { flow: 1, stream: 'forward', from: 0, to: 10 },
    { flow: 2, stream: 'forward', from: 100, to: 200 },
    { flow: 3, stream: 'forward', from: 5, to: 25 },
  ]);
  t.like(accounts[0], { sent: 10, received: 9, lost: 1, duplicated: 0, longestGap: gap });
  t.like(accounts[1], { sent: 100, received: 100, lost: 0 });
  t.like(accounts[2], { sent: 20, received: 20, lost: 0, duplicated: 2, reordered: 1, corrupt: 3 });
  t.is(guest.asked.length, 2);
});

test('what it sends is a program of its own for each flow, and its answers are received there', async (t) => {
  const guest = guestThat({
    'reflector talk5 report': [report({ sent: 7, flows: [{ flow: 5, received: 3 }] })],
    'reflector talk5 start': [report()],
    'reflector talk5 stop': [report()],
    'reflector talk5 account 5 0 4': [{ accounts: [{ ...range, received: 3, missing: [[2, 2]] }] }],
  });
  const end = new GuestEnd('g1', guest, services);
  const spec = flow(5, { from: { address: '10.77.0.11', port: 20_010 }, to: { address: '10.77.0.12', port: 7000 }, sizes: [400] });
  await end.addSource(spec);
  t.is(guest.asked[0], 'setsid reflector talk5 talk 10.77.0.12 7000 --flow 5 --rate 100 --size 400 --from-port 20010 > /run/talk5.log 2>&1 &');
  await end.probe(5);
  await end.startFlows([5]);
  t.deepEqual(guest.asked.slice(1), ['reflector talk5 report', 'reflector talk5 stop', 'reflector talk5 start']);
  t.like((await end.account([{ flow: 5, stream: 'echo', from: 0, to: 4 }]))[0], { sent: 4, received: 3, lost: 1 });
  t.deepEqual(await end.missing({ flow: 5, stream: 'echo', from: 0, to: 4 }), [[2, 2]]);
  await t.throwsAsync(end.addSource(flow(6)), { message: /a guest sends datagrams of one size/ });
});

test('the next numbers are those of its own flows and of its answers; nothing received yet is answered 0 times', async (t) => {
  const guest = guestThat({
    'reflector echo report && reflector talk5 report': [
      report({ foreign: 1, socketDrops: 2, flows: [{ flow: 1, echoed: 40 }] }),
      report({ sent: 70, skipped: 3, foreign: 1 }),
    ],
  });
  const end = new GuestEnd('g1', guest, services);
  await end.addSink(flow(1));
  await end.addSink(flow(2));
  await end.addSource(flow(5, { sizes: [100] }));
  t.deepEqual(await end.sent(), [
    { flow: 5, stream: 'forward', sent: 70 },
    { flow: 1, stream: 'echo', sent: 40 },
    { flow: 2, stream: 'echo', sent: 0 },
  ]);
  const { errors, sent } = await end.snapshot();
  t.like(errors, { foreign: 2, kernelBufferErrors: 2 });
  t.is(sent[0]?.skipped, 3);
});

test('after a migration the guest is asked where it is now', async (t) => {
  const [before, after] = [guestThat({}), guestThat({ 'reflector echo report': [report()] })];
  const end = new GuestEnd('g1', before, services);
  await end.addSink(flow(1));
  end.moveTo(after);
  await end.sent();
  t.deepEqual([before.asked, after.asked], [[], ['reflector echo report']]);
});

test('a TCP connection is alive as long as it is connected, alone and intact', async (t) => {
  const connection = { connected: true, bytesSent: 8, bytesReceived: 16, wrongWords: 0, longestStallMs: 3, error: null };
  const alive = async (...connections: object[]): Promise<boolean> =>
    (await new GuestEnd('g1', guestThat({ 'reflector tcp report': [report({ connections })] }), services).tcpReport(1)).alive;
  t.true(await alive(connection));
  t.false(await alive());
  t.false(await alive({ ...connection, connected: false }));
  t.false(await alive({ ...connection, wrongWords: 1 }));
  t.false(await alive({ ...connection, error: 'ECONNRESET' }));
  t.false(await alive(connection, connection));
});

test('what no program of the guest does is refused', async (t) => {
  const end = new GuestEnd('g1', guestThat({}), services);
  await t.throwsAsync(end.addSink(flow(1, { to: { address: '10.77.0.11', port: 9 } })), { message: /nothing in guest g1 listens on port 9/ });
  await t.throwsAsync(end.addSink(flow(1, { echoEvery: 3 })), { message: /answers every 1 datagrams, not 3/ });
  await t.throwsAsync(end.account([{ flow: 8, stream: 'forward', from: 0, to: 1 }]), { message: /not received in guest g1/ });
  await t.throwsAsync(end.listenTcp({ id: 1, family: 4, from: '10.77.0.1', to: { address: '10.77.0.11', port: 80 }, bytesPerSecond: 1 }), {
    message: /listens on port 7002, not 80/,
  });
});
