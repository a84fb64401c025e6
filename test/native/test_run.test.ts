import { execFileSync } from 'node:child_process';
import { onlineCpus } from '../../src/native/cpus.js';
import { ip, runModuleIn } from '../support/netns.js';
import { makeVeth } from './attach_support.js';
import { attachTest, kernelTest, loadSample, objectPath, u32 } from './native_objects.js';

const frame = Buffer.from(Array.from({ length: 64 }, (_, i) => i));
const XDP_TX = 3;
const stride = 16;

kernelTest('a run gives verdict, frame and time; the frame may have grown', async (t) => {
  const object = await loadSample(t);
  const same = object.program('count_frame').testRun({ data: frame });
  t.is(same.verdict, 2);
  t.deepEqual(same.data, frame);
  t.true(same.durationNs > 0);
  const grown = object.program('grow_frame').testRun({ data: frame });
  t.is(grown.verdict, XDP_TX);
  t.deepEqual(grown.data, Buffer.concat([Buffer.alloc(8, 0xee), frame]));
});

kernelTest('the asynchronous run gives the same', async (t) => {
  const program = (await loadSample(t)).program('grow_frame');
  const results = await Promise.all([program.testRunAsync({ data: frame }), program.testRunAsync({ data: Buffer.alloc(20) })]);
  t.deepEqual(results.map((result) => result.data.length), [72, 28]);
  t.deepEqual(results[0]?.data.subarray(8), frame);
  await t.throwsAsync(program.testRunAsync({ data: frame, cpu: 0 }), { message: /synchronous/ });
});

kernelTest('repeat runs it that often', async (t) => {
  const object = await loadSample(t);
  object.program('count_frame').testRun({ data: frame, repeat: 1000 });
  const counts = object.map('cpu_rows').get(u32(0)) ?? Buffer.alloc(0);
  let sum = 0;
  for (let at = 0; at < counts.length; at += stride) sum += counts.readUInt32LE(at);
  t.is(sum, 1000);
});

kernelTest('a run happens on the CPU asked for, and the thread is free again afterwards', async (t) => {
  const object = await loadSample(t);
  const allowed = () => execFileSync('grep', ['Cpus_allowed_list', '/proc/self/status'], { encoding: 'utf8' });
  const before = allowed();
  for (const cpu of onlineCpus()) {
    object.program('count_frame').testRun({ data: frame, cpu, repeat: 10 });
    const counts = object.map('cpu_rows').get(u32(0)) ?? Buffer.alloc(0);
    t.is(counts.readUInt32LE(cpu * stride), 10, `CPU ${cpu}`);
  }
  t.is(allowed(), before);
  t.throws(() => object.program('count_frame').testRun({ data: frame, cpu: 1000 }), { code: 'EINVAL' });
  t.is(allowed(), before);
});

kernelTest('a frame shorter than an Ethernet header is refused', async (t) => {
  const program = (await loadSample(t)).program('count_frame');
  t.throws(() => program.testRun({ data: Buffer.alloc(13) }), { code: 'EINVAL', message: /bpf_prog_test_run_opts \(count_frame\)/ });
});

attachTest('the program sees the device and queue it was told', async (t) => {
  const veth = makeVeth(t);
  const queues = 'numrxqueues 2 numtxqueues 2';
  ip(veth.netns, `link add vq ${queues} type veth peer name vr ${queues}`);
  for (const name of ['vq', 'vr']) {
    execFileSync('nsenter', [`--net=${veth.netnsPath}`, 'ethtool', '-K', name, 'gro', 'on']);
    ip(veth.netns, `link set ${name} up`);
  }
  const [device] = JSON.parse(ip(veth.netns, '-j link show dev vq')) as [{ ifindex: number }];
  const object = await loadSample(t);
  const run = { data: frame, ingressIfindex: device.ifindex, rxQueue: 1, cpu: 0 };
  veth.in(() => object.program('count_frame').testRun(run));
  const row = object.map('cpu_rows').get(u32(0)) ?? Buffer.alloc(0);
  t.deepEqual([row.readUInt32LE(4), row.readUInt32LE(8)], [device.ifindex, 1]);
  t.throws(() => object.program('count_frame').testRun(run), { code: 'ENODEV' }, 'not in the namespace of the test');
});

attachTest('a tc program sees its device', async (t) => {
  const veth = makeVeth(t);
  const object = await loadSample(t);
  veth.in(() => object.program('count_skb').testRun({ data: frame, ingressIfindex: veth.ifindex, cpu: 0 }));
  const row = object.map('cpu_rows').get(u32(1)) ?? Buffer.alloc(0);
  t.deepEqual([row.readUInt32LE(0), row.readUInt32LE(4)], [1, veth.ifindex]);
});

attachTest('live frames really leave by the device', async (t) => {
  const veth = makeVeth(t);
  execFileSync('nsenter', [`--net=${veth.netnsPath}`, 'ethtool', '-K', 'vb', 'gro', 'on']);
  const module = new URL('./live_frames_scenario.js', import.meta.url);
  const report = (await runModuleIn(veth.netns, module, objectPath('sample'), String(veth.ifindex))) as
    { durationNs: number; tookMs: number; ticks: number; verdict: number };
  const [link] = JSON.parse(ip(veth.netns, '-j -s link show dev vb')) as [{ stats64: { rx: { packets: number; bytes: number } } }];
  t.log(`${JSON.stringify(report)}, ${link.stats64.rx.packets} arrived`);
  t.is(report.verdict, XDP_TX);
  t.true(report.durationNs > 0);
  t.true(report.ticks > 5, 'the event loop went on');
  t.true(link.stats64.rx.packets > 100_000, `${link.stats64.rx.packets} frames arrived`);
});
