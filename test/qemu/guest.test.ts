import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { guestCommandLine } from '../../src/lab/qemu/command_line.js';
import { askReflector } from '../../src/lab/qemu/reflector.js';
import type { FlowSpec, TcpSpec } from '../../src/lab/traffic/protocol.js';
import { DRAIN_MS } from '../../src/lab/traffic/traffic.js';
import { GUEST, guestTest, linkOfDriver, plugPrimary, startBed, until, unplugPrimary, WIRE } from './guest_bed.js';

/** Device of QEMU, and the guest's driver for it. */
const PRIMARIES = [['vmxnet3', 'vmxnet3'], ['rtl8139', '8139cp'], ['e1000e', 'e1000e']] as const;

const commandLine = guestCommandLine({
  ip: `${GUEST}/24`,
  ip6: 'fd77::11/64',
  services: {
    udp: ['reflector', 'udp', 'udp', '7000', '--echo-every', '2'],
    tcp: ['reflector', 'tcp', 'tcp', '7100', '--rate', '20000'],
  },
});
const toGuest: FlowSpec = {
  id: 1, family: 4, from: { address: WIRE, port: 20_001 }, to: { address: GUEST, port: 7000 }, packetsPerSecond: 100, sizes: [64, 1400], echoEvery: 2,
};
const fromGuest: FlowSpec = {
  id: 5, family: 4, from: { address: GUEST, port: 0 }, to: { address: WIRE, port: 7001 }, packetsPerSecond: 50, sizes: [300], echoEvery: 1,
};
const tcp: TcpSpec = { id: 1, family: 4, from: WIRE, to: { address: GUEST, port: 7100 }, bytesPerSecond: 20_000 };

guestTest.serial('a guest boots, answers, takes a primary under its MAC address, and gives it back', async (t) => {
  const bed = await startBed(t, { commandLine });
  const { wire, guest } = bed;
  t.log(`booted in ${bed.bootMs} ms`);
  t.is((await guest.run('hostname')).trim(), 'g1');
  t.regex(await guest.run(`ping -c 3 -i 0.2 ${WIRE}`), /3 packets transmitted, 3 packets received/);

  await wire.addSink(fromGuest);
  await guest.run(`setsid reflector talk talk ${WIRE} 7001 --flow 5 --rate 50 --size 300 >/run/talk.log 2>&1 &`);
  await wire.addSource(toGuest);
  await wire.probe(1);
  await wire.connectTcp(tcp);
  await wire.startTcp(1);
  await wire.startFlows([1]);
  await sleep(1000);
  // Nothing is lost while nothing changes.
  t.like(await askReflector(guest, 'udp', 'lap'), { foreign: 0, damagedHeaders: 0, misdelivered: 0 });
  const quiet = (await askReflector(guest, 'udp')).flows[0];
  t.like(quiet, { flow: 1, stream: 'forward', lost: 0, duplicated: 0, corrupt: 0 });
  t.true((quiet?.received ?? 0) > 50, `${quiet?.received} received`);

  for (const [model, driver] of PRIMARIES) {
    const plugged = performance.now();
    await plugPrimary(bed, model);
    const link = await until(`${driver} has the master eth0`, async () => {
      const found = await linkOfDriver(guest, driver);
      return found?.master === 'eth0' ? found : null;
    });
    const enslaved = performance.now();
    t.is(link.address, '52:54:00:aa:00:01');
    const up = async () => ((await linkOfDriver(guest, driver))?.flags.includes('LOWER_UP') === true ? true : null);
    await until(`${driver} has carrier`, up);
    const carrier = performance.now();
    await sleep(300);
    const removed = performance.now();
    await unplugPrimary(bed);
    t.log(
      `${model} at ${(await askReflector(guest, 'talk')).sent}: master after ${Math.round(enslaved - plugged)} ms, carrier ${Math.round(carrier - enslaved)} ms later, ` +
        `gone ${Math.round(performance.now() - removed)} ms after device_del`,
    );
    t.is(await linkOfDriver(guest, driver), null);
  }

  await sleep(300);
  await wire.stopFlows([1]);
  await wire.stopTcp(1);
  await askReflector(guest, 'tcp', 'stop');
  await askReflector(guest, 'talk', 'stop');
  await sleep(DRAIN_MS);
  // Both ends say the same about what arrived, intact, whatever was lost on the way.
  const sent = await wire.sent();
  const sentHere = sent.find(({ flow, stream }) => flow === 1 && stream === 'forward')?.sent ?? 0;
  const echoedHere = sent.find(({ flow, stream }) => flow === 5 && stream === 'echo')?.sent ?? 0;
  const there = (await askReflector(guest, 'udp')).flows[0];
  const talk = await askReflector(guest, 'talk');
  const [echo, talked] = await wire.account([
    { flow: 1, stream: 'echo', from: 0, to: there?.echoed ?? 0 },
    { flow: 5, stream: 'forward', from: 0, to: talk.sent },
  ]);
  const missing = await wire.missing({ flow: 5, stream: 'forward', from: 0, to: talk.sent });
  const sinks = (await wire.snapshot()).errors;
  t.log(`to the guest ${sentHere} sent, ${there?.lost} lost; from it ${talk.sent} sent, ${talked?.lost} lost; longest gap ${there?.longestGapMs} ms`);
  t.log(`runs of numbers that did not arrive: there ${JSON.stringify(there?.missing)}, here ${JSON.stringify(missing)}`);
  t.is(there?.highest, sentHere - 1);
  t.is((there?.received ?? 0) + (there?.lost ?? 0), sentHere);
  t.is(there?.corrupt, 0);
  t.like(echo, { corrupt: 0 });
  t.like(talked, { corrupt: 0 });
  t.true((talked?.received ?? 0) > 100);
  t.is(talk.flows[0]?.highest, echoedHere - 1);
  t.like(sinks, { foreign: 0, damagedHeaders: 0, misdelivered: 0 });

  const [here, connection] = [await wire.tcpReport(1), (await askReflector(guest, 'tcp')).connections[0]];
  t.true(here.alive, JSON.stringify(here.errors));
  t.like(connection, { connected: true, wrongWords: 0, error: null, bytesReceived: here.bytesSent });
  t.is(here.bytesReceived, connection?.bytesSent ?? -1);
  t.is(here.wrongWords, 0);

  const { pid, folder } = guest;
  await guest.stop();
  t.false(guest.running);
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  t.false(existsSync(folder));
});
