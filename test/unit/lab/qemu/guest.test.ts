/** How a guest is started and spoken to, without one. */
import { execFileSync } from 'node:child_process';
import test from 'ava';
import { guestPaths, type MachineOptions, qemuArguments } from '../../../../src/lab/qemu/arguments.js';
import { guestCommandLine } from '../../../../src/lab/qemu/command_line.js';
import { findFrame, framedCommand } from '../../../../src/lab/qemu/serial_shell.js';

const machine: MachineOptions = {
  name: 'g1',
  nics: [
    { id: 'net0', tap: 'tv', mac: '52:54:00:aa:00:01', failover: true, queues: 4, vnetHdr: false },
    { id: 'net1', tap: 'tx', mac: '52:54:00:aa:00:02', model: 'e1000e' },
  ],
  hotplugPorts: 1,
  memoryMiB: 256,
  accel: 'tcg',
  commandLine: 'unipath.ip=10.0.0.1/24',
};
const options = (name: string, argv: readonly string[]): string[] => argv.filter((_, i) => argv[i - 1] === name);

test('every NIC has its netdev, its port and no boot ROM; further ports are for hot-plug', (t) => {
  const argv = qemuArguments(machine, guestPaths('/run/g1'), 'vmlinux', 'base.cpio');
  t.deepEqual(options('-netdev', argv), [
    'tap,id=host-net0,ifname=tv,script=no,downscript=no,vhost=off,vnet_hdr=off,queues=4',
    'tap,id=host-net1,ifname=tx,script=no,downscript=no,vhost=off,vnet_hdr=on',
  ]);
  t.deepEqual(options('-device', argv), [
    'pcie-root-port,id=port-net0,chassis=1,slot=1',
    'pcie-root-port,id=port-net1,chassis=2,slot=2',
    'pcie-root-port,id=hotplug0,chassis=3,slot=3',
    'virtio-net-pci,id=net0,netdev=host-net0,mac=52:54:00:aa:00:01,bus=port-net0,romfile=,failover=on,mq=on,vectors=10',
    'e1000e,id=net1,netdev=host-net1,mac=52:54:00:aa:00:02,bus=port-net1,romfile=',
  ]);
  t.deepEqual(options('-qmp', argv), ['unix:/run/g1/qmp,server=on,wait=off', 'unix:/run/g1/qmp2,server=on,wait=off']);
  t.regex(options('-append', argv)[0] ?? '', / unipath\.name=g1 unipath\.ip=10\.0\.0\.1\/24$/);
  t.false(argv.includes('-incoming'));
});

test('a guest that waits for a migration, with KVM', (t) => {
  const argv = qemuArguments({ ...machine, accel: 'kvm', smp: 2, incoming: 'defer' }, guestPaths('/run/g1'), 'vmlinux', 'base.cpio');
  t.deepEqual([options('-cpu', argv), options('-smp', argv), options('-incoming', argv)], [['host'], ['2'], ['defer']]);
});

test('a folder whose sockets could not be connected to is refused', (t) => {
  t.throws(() => guestPaths(`/run/${'x'.repeat(100)}`), { message: /is too long a name for a folder with sockets/ });
});

test('settings become words of the kernel command line', (t) => {
  t.is(guestCommandLine({}), '');
  const settings = {
    ip: '10.77.0.11/24', ip6: 'fd77::11/64', mtu: 9000, offloads: { tso: 'off', gro: 'on' }, agent: 'eth0',
    services: { udp: ['reflector', 'udp', 'udp', '7000'] },
  } as const;
  t.is(
    guestCommandLine(settings),
    'unipath.ip=10.77.0.11/24 unipath.ip6=fd77::11/64 unipath.mtu=9000 unipath.offloads=tso:off,gro:on unipath.service=udp,reflector,udp,udp,7000 unipath.agent=eth0',
  );
  t.throws(() => guestCommandLine({ services: { x: ['sh', '-c', 'a b'] } }), { message: /"a b" cannot be given to a guest/ });
});

/** What a shell makes of a line, as the guest's does. */
const said = (line: string): string => execFileSync('sh', { input: line, encoding: 'utf8' });

for (const [what, command, status, output] of [
  ['output and status', 'echo hello; echo bad >&2; exit 3', 3, 'hello\nbad\n'],
  ['no newline at the end', 'printf x', 0, 'x'],
  ['quotes, variables and several lines', "a='it''s'; echo \"$a\n$((1+1))\"", 0, 'its\n2\n'],
  ['half a command', "echo 'unfinished", 2, null],
  ['a command that reads its input', 'cat', 0, ''],
] as const) {
  test(`a framed command: ${what}`, (t) => {
    const frame = findFrame(`noise\n${said(`${framedCommand(command, '7.1')}echo after\n`)}`, '7.1');
    t.is(frame?.status, status);
    if (output !== null) t.is(frame?.output, output);
  });
}

test('a frame that has not ended, or is another one\'s, is none', (t) => {
  const whole = said(framedCommand('echo one', '7.1'));
  t.is(findFrame(whole.slice(0, -1), '7.1'), null);
  t.is(findFrame(whole, '7.2'), null);
  t.is(findFrame('', '7.1'), null);
});
