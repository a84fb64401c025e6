import { execFileSync } from 'node:child_process';
import { ForeignProgramError } from '../../src/native/errors.js';
import { PacketSocket } from '../../src/native/socket.js';
import { attachTc, detachTc, queryTc } from '../../src/native/tc.js';
import { makeVeth, type Veth } from './attach_support.js';
import { attachTest, loadSample, u32 } from './native_objects.js';

const place = { priority: 7, handle: 3 };

function qdiscs(veth: Veth): string {
  return execFileSync('tc', ['-n', veth.netns, 'qdisc', 'show', 'dev', 'va'], { encoding: 'utf8' });
}

function filters(veth: Veth, direction: string): string {
  return execFileSync('tc', ['-n', veth.netns, 'filter', 'show', 'dev', 'va', direction], { encoding: 'utf8' });
}

attachTest('a tc program is attached, seen by tc, run, and detached with its qdisc', async (t) => {
  const veth = makeVeth(t);
  const object = await loadSample(t);
  const program = object.program('count_skb');
  t.is(veth.in(() => queryTc(veth.ifindex, 'ingress', place)), null);

  const attachment = veth.in(() => attachTc(program, veth.ifindex, 'ingress', place));
  t.like(attachment, { programId: program.id, madeQdisc: true });
  t.deepEqual(veth.in(() => queryTc(veth.ifindex, 'ingress', place)), { programId: program.id });
  t.regex(filters(veth, 'ingress'), /pref 7 bpf chain 0 handle 0x3 .*direct-action/);

  const socket = new PacketSocket(veth.netnsPath);
  t.teardown(() => socket.close());
  socket.send(veth.peerIfindex, Buffer.alloc(64, 0xff));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const bytes = object.map('cpu_rows').get(u32(1)) ?? Buffer.alloc(0);
  t.true([...bytes.keys()].some((at) => at % 16 === 4 && bytes.readUInt32LE(at) === veth.ifindex));

  t.true(veth.in(() => detachTc(veth.ifindex, 'ingress', place, { removeQdisc: attachment.madeQdisc })));
  t.notRegex(qdiscs(veth), /clsact/);
  t.false(veth.in(() => detachTc(veth.ifindex, 'ingress', place)));
});

attachTest('both directions share one qdisc, which stays unless asked for', async (t) => {
  const veth = makeVeth(t);
  const program = (await loadSample(t)).program('count_skb');
  t.true(veth.in(() => attachTc(program, veth.ifindex, 'ingress', place)).madeQdisc);
  t.false(veth.in(() => attachTc(program, veth.ifindex, 'egress', place)).madeQdisc);
  t.true(veth.in(() => detachTc(veth.ifindex, 'ingress', place)));
  t.is(filters(veth, 'ingress'), '');
  t.regex(filters(veth, 'egress'), /handle 0x3/);
  t.regex(qdiscs(veth), /clsact/);
});

attachTest('a place that is taken is refused and the filter there stays', async (t) => {
  const veth = makeVeth(t);
  const theirs = (await loadSample(t)).program('count_skb');
  const ours = (await loadSample(t)).program('count_skb');
  veth.in(() => attachTc(theirs, veth.ifindex, 'ingress', place));
  const error = t.throws(() => veth.in(() => attachTc(ours, veth.ifindex, 'ingress', place)), { instanceOf: ForeignProgramError });
  t.is(error.programId, theirs.id);
  t.is(veth.in(() => queryTc(veth.ifindex, 'ingress', place))?.programId, theirs.id);
});

attachTest('a failed attachment leaves no qdisc behind', async (t) => {
  const veth = makeVeth(t);
  const xdp = (await loadSample(t)).program('count_frame');
  t.throws(() => veth.in(() => attachTc(xdp, veth.ifindex, 'ingress', place)), { code: 'EINVAL' });
  t.notRegex(qdiscs(veth), /clsact/);
});
