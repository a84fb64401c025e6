import { execFileSync } from 'node:child_process';
import { closeFd, pollReadable, pollReadableSync, readNonBlocking, writeNonBlocking } from '../../src/native/io.js';
import { PacketSocket } from '../../src/native/socket.js';
import { openTap, setPersist } from '../../src/native/tap.js';
import { createNetns, ip, netnsTest } from '../support/netns.js';
import { ifindexOf } from './attach_support.js';

/** Broadcast of an EtherType that no one answers. */
function frame(fill: number): Buffer {
  const bytes = Buffer.alloc(80, fill);
  bytes.fill(0xff, 0, 6);
  Buffer.from('020000000001', 'hex').copy(bytes, 6);
  bytes.writeUInt16BE(0x88b5, 12);
  return bytes;
}

/** Reads until a frame of ours comes: the kernel sends its own, too. */
function readOurs(fd: number): Buffer | null {
  const buffer = Buffer.alloc(2048);
  for (;;) {
    const length = readNonBlocking(fd, buffer);
    if (length === 0) return null;
    if (buffer.readUInt16BE(12) === 0x88b5) return Buffer.from(buffer.subarray(0, length));
  }
}

function devices(netns: string): string[] {
  return (JSON.parse(ip(netns, '-j link show')) as { ifname: string }[]).map((link) => link.ifname).sort();
}

netnsTest('a tap is made in a namespace, carries frames both ways, and goes with its descriptor', (t) => {
  const netns = createNetns(t, 'tap');
  const path = `/run/netns/${netns}`;
  const fd = openTap('tap0', { multiQueue: false, netns: path });
  let open = true;
  t.teardown(() => {
    if (open) closeFd(fd);
  });
  t.deepEqual(devices(netns), ['lo', 'tap0']);
  t.throws(() => execFileSync('ip', ['link', 'show', 'dev', 'tap0'], { stdio: 'pipe' }), undefined, 'only there');
  ip(netns, 'link set tap0 up');

  t.is(readOurs(fd), null, 'nothing to read is no error');
  const socket = new PacketSocket(path);
  t.teardown(() => socket.close());
  socket.send(ifindexOf(netns, 'tap0'), frame(0x11));
  t.deepEqual(pollReadableSync([fd], 1000), [fd]);
  t.deepEqual(readOurs(fd), frame(0x11));

  const received = (): number => {
    const [link] = JSON.parse(ip(netns, '-j -s link show dev tap0')) as [{ stats64: { rx: { bytes: number } } }];
    return link.stats64.rx.bytes;
  };
  const before = received();
  t.true(writeNonBlocking(fd, frame(0x22), 80));
  t.is(received() - before, 80);

  closeFd(fd);
  open = false;
  t.throws(() => closeFd(fd), { code: 'EBADF' });
  t.deepEqual(devices(netns), ['lo']);
});

netnsTest('a persistent tap outlives its descriptor', (t) => {
  const netns = createNetns(t, 'tap');
  const options = { multiQueue: false, netns: `/run/netns/${netns}` };
  const fd = openTap('tap0', options);
  setPersist(fd, true);
  closeFd(fd);
  t.deepEqual(devices(netns), ['lo', 'tap0']);
  const again = openTap('tap0', options);
  setPersist(again, false);
  closeFd(again);
  t.deepEqual(devices(netns), ['lo']);
});

netnsTest('a multi-queue tap has a descriptor per queue; a single-queue one refuses the second', (t) => {
  const netns = createNetns(t, 'tap');
  const path = `/run/netns/${netns}`;
  const fds = [0, 1, 2].map(() => openTap('tapm', { multiQueue: true, netns: path }));
  t.teardown(() => fds.forEach(closeFd));
  const [link] = JSON.parse(ip(netns, '-d -j link show dev tapm')) as [{ linkinfo: { info_data: { numqueues: number } } }];
  t.is(link.linkinfo.info_data.numqueues, 3);
  const single = openTap('taps', { multiQueue: false, netns: path });
  t.teardown(() => closeFd(single));
  t.throws(() => openTap('taps', { multiQueue: false, netns: path }), { code: 'EBUSY', message: /TUNSETIFF \(taps\)/ });
  t.throws(() => openTap('taps', { multiQueue: true, netns: path }), { code: 'EINVAL' });
  t.throws(() => openTap('a-name-too-long-for-it', { multiQueue: false, netns: path }), { message: /is no interface name/ });
});

netnsTest('waiting off the loop tells which descriptor has something', async (t) => {
  const netns = createNetns(t, 'tap');
  const path = `/run/netns/${netns}`;
  const fds = ['tapa', 'tapb'].map((name) => openTap(name, { multiQueue: false, netns: path }));
  t.teardown(() => fds.forEach(closeFd));
  for (const name of ['tapa', 'tapb']) {
    // No IPv6, so that the kernel itself sends nothing.
    execFileSync('nsenter', [`--net=${path}`, 'sysctl', '-qw', `net.ipv6.conf.${name}.disable_ipv6=1`]);
    ip(netns, `link set ${name} up`);
  }
  t.deepEqual(await pollReadable(fds, 30), []);
  const socket = new PacketSocket(path);
  t.teardown(() => socket.close());
  const waiting = pollReadable(fds, 1000);
  socket.send(ifindexOf(netns, 'tapb'), frame(0x33));
  t.deepEqual(await waiting, fds.slice(1));
  t.deepEqual(await pollReadable([123_456], 30), [123_456], 'an error is something to report');
});

netnsTest('a missing namespace is named, and the caller stays where it was', (t) => {
  const before = execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' });
  const open = (netns: string) => () => openTap('tap0', { multiQueue: false, netns });
  t.throws(open('/run/netns/upt-none'), { code: 'ENOENT', message: /\/run\/netns\/upt-none/ });
  t.throws(open('/dev/null'), { code: 'EINVAL' });
  t.is(execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }), before);
});
