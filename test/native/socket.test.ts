import { once } from 'node:events';
import dgram from 'node:dgram';
import test from 'ava';
import { NativeError } from '../../src/native/errors.js';
import { monotonicNs } from '../../src/native/io.js';
import { PacketSocket, openUdpSocket } from '../../src/native/socket.js';
import { encodeInternetAddress } from '../../src/native/sockaddr.js';
import { createNetns, netnsTest } from '../support/netns.js';

test('addresses as the kernel wants them', (t) => {
  t.is(encodeInternetAddress('10.1.2.3', 0x1234).bytes.toString('hex'), '020012340a0102030000000000000000');
  t.is(encodeInternetAddress('fd00::1', 9).bytes.toString('hex'), '0a00000900000000fd00000000000000000000000000000100000000');
  t.throws(() => encodeInternetAddress('somewhere', 1), { message: '"somewhere" is no IP address' });
});

test('the monotonic clock runs', (t) => {
  const first = monotonicNs();
  t.true(monotonicNs() > first);
});

for (const [address, type] of [['127.0.0.1', 'udp4'], ['::1', 'udp6']] as const) {
  netnsTest(`a ${type} socket with a forced buffer is handed to dgram and hears`, async (t) => {
    const netns = `/run/netns/${createNetns(t, 'udp')}`;
    const receiveBufferBytes = 8 << 20;
    const [receiver, sender] = [dgram.createSocket(type), dgram.createSocket(type)];
    for (const socket of [receiver, sender]) t.teardown(() => socket.close());
    receiver.bind({ fd: openUdpSocket({ address, port: 0, receiveBufferBytes, netns }) });
    sender.bind({ fd: openUdpSocket({ address, port: 0, receiveBufferBytes, sendBufferBytes: 1 << 20, netns }) });
    t.is(receiver.getRecvBufferSize(), 2 * receiveBufferBytes);
    t.is(sender.getSendBufferSize(), 2 << 20);
    const heard = once(receiver, 'message') as Promise<[Buffer, dgram.RemoteInfo]>;
    sender.send('hello', receiver.address().port, address);
    const [message, from] = await heard;
    t.is(message.toString(), 'hello');
    t.is(from.port, sender.address().port);
  });
}

netnsTest('an address that is not there, and a port that is taken', (t) => {
  const netns = `/run/netns/${createNetns(t, 'udp')}`;
  const open = (address: string, port: number) => openUdpSocket({ address, port, receiveBufferBytes: 65_536, netns });
  t.throws(() => open('192.0.2.77', 1), { instanceOf: NativeError, code: 'EADDRNOTAVAIL' });
  const holder = dgram.createSocket('udp4');
  t.teardown(() => holder.close());
  holder.bind({ fd: open('127.0.0.1', 4711) });
  t.throws(() => open('127.0.0.1', 4711), { code: 'EADDRINUSE', message: /UDP 127\.0\.0\.1 port 4711/ });
});

netnsTest('a packet socket names the device that is gone', (t) => {
  const socket = new PacketSocket(`/run/netns/${createNetns(t, 'packet')}`);
  t.throws(() => socket.send(999_999, Buffer.alloc(64)), { code: 'ENXIO', message: /ifindex 999999/ });
  socket.close();
  socket.close();
  t.throws(() => socket.send(1, Buffer.alloc(64)), { message: 'the packet socket is closed' });
});
