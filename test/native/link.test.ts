import { rmSync } from 'node:fs';
import { ForeignProgramError } from '../../src/native/errors.js';
import { attachTracing, queryXdp, TracingLink, XdpLink } from '../../src/native/link.js';
import { ip } from '../support/netns.js';
import { makeVeth } from './attach_support.js';
import { attachTest, kernelTest, loadSample, objectPath, pinFolder, u32 } from './native_objects.js';

for (const mode of ['native', 'generic'] as const) {
  attachTest(`${mode} XDP on a veth: attached, seen, gone after close()`, async (t) => {
    const veth = makeVeth(t);
    const program = (await loadSample(t)).program('count_frame');
    const link = veth.in(() => XdpLink.attach(program, veth.ifindex, mode));
    t.teardown(() => link.close());
    t.deepEqual(veth.in(() => queryXdp(veth.ifindex)), { programId: program.id, mode });
    t.like(link.info(), { programId: program.id, ifindex: veth.ifindex });
    t.is(veth.in(() => queryXdp(veth.peerIfindex)), null);
    t.is(queryXdp(999_999), null);
    link.close();
    link.close();
    t.is(veth.in(() => queryXdp(veth.ifindex)), null);
    t.throws(() => link.info(), { message: /is closed/ });
  });
}

attachTest('frames that arrive run the program', async (t) => {
  const veth = makeVeth(t);
  const object = await loadSample(t);
  const link = veth.in(() => XdpLink.attach(object.program('count_frame'), veth.ifindex, 'native'));
  t.teardown(() => link.close());
  const { PacketSocket } = await import('../../src/native/socket.js');
  const socket = new PacketSocket(veth.netnsPath);
  t.teardown(() => socket.close());
  const before = packets();
  for (let i = 0; i < 10; i++) socket.send(veth.peerIfindex, Buffer.alloc(64, 0xff));
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.true(packets() >= before + 10);

  function packets(): number {
    const bytes = object.map('cpu_rows').get(u32(0)) ?? Buffer.alloc(0);
    let sum = 0;
    for (let at = 0; at < bytes.length; at += 16) sum += bytes.readUInt32LE(at);
    return sum;
  }
});

attachTest('a device without native XDP says so', async (t) => {
  const veth = makeVeth(t);
  const program = (await loadSample(t)).program('count_frame');
  const error = t.throws(() => veth.in(() => XdpLink.attach(program, 1, 'native')), { code: 'EOPNOTSUPP' });
  t.regex(error.message, /ifindex 1, native XDP.*generic XDP works on every device/);
  t.throws(() => veth.in(() => XdpLink.attach(program, 999_999, 'generic')), { code: 'EINVAL', message: /no such device/ });
});

attachTest('a pinned link outlives its owner, is adopted, and goes with its pin', async (t) => {
  const veth = makeVeth(t);
  const pin = `${pinFolder(t, 'link')}/va`;
  const object = await loadSample(t);
  const program = object.program('count_frame');
  const link = veth.in(() => XdpLink.attach(program, veth.ifindex, 'native'));
  link.pin(pin);
  t.throws(() => link.pin(pin), { code: 'EEXIST' });
  const id = link.info().linkId;
  link.close();
  const programId = program.id;
  object.close();
  t.deepEqual(veth.in(() => queryXdp(veth.ifindex)), { programId, mode: 'native' });

  const adopted = XdpLink.fromPin(pin);
  t.deepEqual([adopted.info().linkId, adopted.info().programId], [id, programId]);
  rmSync(pin);
  t.is(veth.in(() => queryXdp(veth.ifindex))?.programId, programId, 'the adopted descriptor still holds it');
  adopted.close();
  t.is(veth.in(() => queryXdp(veth.ifindex)), null);
  t.throws(() => XdpLink.fromPin(pin), { code: 'ENOENT' });
});

attachTest('replace() changes the program under the same link, only for the expected one', async (t) => {
  const veth = makeVeth(t);
  const object = await loadSample(t);
  const [first, second] = [object.program('count_frame'), object.program('other_frame')];
  const link = veth.in(() => XdpLink.attach(first, veth.ifindex, 'native'));
  t.teardown(() => link.close());
  const { linkId } = link.info();
  t.throws(() => link.replace(second, second), { code: 'EPERM', message: /does not run the expected program/ });
  t.is(link.info().programId, first.id);
  link.replace(second, first);
  t.deepEqual([link.info().linkId, link.info().programId], [linkId, second.id]);
  link.replace(first);
  t.is(veth.in(() => queryXdp(veth.ifindex))?.programId, first.id);
});

attachTest('a foreign program is refused and stays, whatever it was attached with', async (t) => {
  const veth = makeVeth(t);
  const ours = (await loadSample(t)).program('count_frame');
  const theirs = (await loadSample(t)).program('other_frame');
  const attach = (mode: 'native' | 'generic') => () => veth.in(() => XdpLink.attach(ours, veth.ifindex, mode));

  const foreign = veth.in(() => XdpLink.attach(theirs, veth.ifindex, 'native'));
  const busy = t.throws(attach('native'), { instanceOf: ForeignProgramError });
  t.is(busy.programId, theirs.id);
  t.regex(busy.message, new RegExp(`another program \\(id ${theirs.id}\\) is attached there and is never displaced`));
  t.throws(attach('generic'), { instanceOf: ForeignProgramError, code: 'EEXIST' });
  t.is(veth.in(() => queryXdp(veth.ifindex))?.programId, theirs.id);
  foreign.close();

  // As an administrator would, without a link.
  ip(veth.netns, `link set dev va xdpgeneric obj ${objectPath('sample')} program other_frame`);
  const theirId = veth.in(() => queryXdp(veth.ifindex))?.programId;
  t.truthy(theirId);
  t.throws(attach('generic'), { instanceOf: ForeignProgramError });
  t.throws(attach('native'), { instanceOf: ForeignProgramError });
  t.is(veth.in(() => queryXdp(veth.ifindex))?.programId, theirId);
});

attachTest('when the device goes, the link says so and can only be closed', async (t) => {
  const veth = makeVeth(t);
  const object = await loadSample(t);
  const link = veth.in(() => XdpLink.attach(object.program('count_frame'), veth.ifindex, 'native'));
  t.teardown(() => link.close());
  ip(veth.netns, 'link del va');
  t.is(link.info().ifindex, 0);
  t.throws(() => link.replace(object.program('other_frame')), { code: 'ENOLINK', message: /device of this link is gone/ });
  link.detach();
});

attachTest('detach() takes the program off although the link is held and pinned', async (t) => {
  const veth = makeVeth(t);
  const program = (await loadSample(t)).program('count_frame');
  const link = veth.in(() => XdpLink.attach(program, veth.ifindex, 'native'));
  t.teardown(() => link.close());
  link.pin(`${pinFolder(t, 'detach')}/va`);
  link.detach();
  t.is(veth.in(() => queryXdp(veth.ifindex)), null);
});

kernelTest('a tracing program runs while its link is there, also from a pin', async (t) => {
  const pin = `${pinFolder(t, 'tracing')}/see_test_run`;
  const object = await loadSample(t);
  const seen = (): number => {
    const bytes = object.map('cpu_rows').get(u32(2)) ?? Buffer.alloc(0);
    let sum = 0;
    for (let at = 0; at < bytes.length; at += 16) sum += bytes.readUInt32LE(at);
    return sum;
  };
  const run = () => object.program('other_frame').testRun({ data: Buffer.alloc(64) });
  run();
  t.is(seen(), 0);
  const link = attachTracing(object.program('see_test_run'));
  run();
  const afterOne = seen();
  t.true(afterOne >= 1);
  link.pin(pin);
  link.close();
  link.close();
  run();
  t.true(seen() > afterOne);
  const adopted = TracingLink.fromPin(pin);
  t.is(adopted.info().programId, object.program('see_test_run').id);
  rmSync(pin);
  adopted.close();
});
