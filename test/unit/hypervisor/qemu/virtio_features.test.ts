import test from 'ava';
import fc from 'fast-check';
import { type QemuMonitor, QmpError } from '../../../../src/hypervisor/qemu/monitor.js';
import { hasTakenStandby } from '../../../../src/hypervisor/qemu/virtio_features.js';

const PATH = '/machine/peripheral/net0';
const version = (major: number, minor: number): unknown => ({ qemu: { major, minor, micro: 3 }, package: '' });
const NEW = version(11, 1);
const region = (bar: number, address: number): unknown => ({ bar, type: 'memory', address, size: 16384, prefetch: true });
const device = (id: string, regions: unknown[], behind?: unknown[]): unknown => ({
  qdev_id: id, bus: 0, slot: 1, function: 0, regions, ...(behind === undefined ? {} : { pci_bridge: { bus: {}, devices: behind } }),
});
/** net0 is behind a port, and mapped at this address. */
const buses = (address: number): unknown => [{ bus: 0, devices: [device('', []), device('rp0', [], [device('net0', [region(1, 0xfe632000), region(4, address)])])] }];
const dump = (words: readonly number[], digits = 8): string =>
  [words.slice(0, 4), words.slice(4)]
    .map((line, i) => `${(0xfea00000 + 16 * i).toString(16).padStart(digits, '0')}:${line.map((word) => ` 0x${(word >>> 0).toString(16).padStart(8, '0')}`).join('')}\r\n`)
    .join('');

/** QEMU, and what it was asked. */
function qemu(answers: Readonly<Record<string, unknown>>): { readonly monitor: QemuMonitor; readonly asked: string[] } {
  const asked: string[] = [];
  const execute = (command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> => {
    asked.push(command === 'human-monitor-command' ? String(args['command-line']) : command);
    return command in answers ? Promise.resolve(answers[command]) : Promise.reject(new QmpError(command, 'CommandNotFound', 'no'));
  };
  return { monitor: { name: 'g1', execute } as unknown as QemuMonitor, asked };
}

const taken = (answers: Readonly<Record<string, unknown>>, said: unknown = NEW, path = PATH): Promise<boolean | null> =>
  hasTakenStandby(qemu(answers).monitor, path, `${path}/virtio-backend`, said);
const registers = (words: readonly number[]): Promise<boolean | null> => taken({ 'query-pci': buses(0xfea00000), 'human-monitor-command': dump(words) });

test('a QEMU that may end of the question, or does not say how old it is, is not asked for its status', async (t) => {
  const cases: readonly (readonly [unknown, boolean])[] = [
    [version(7, 2), true], [version(9, 2), true], [version(10, 0), true],
    [version(10, 1), false], [NEW, false], [version(12, 0), false], [undefined, false], [{}, false],
  ];
  for (const [said, asks] of cases) {
    const { monitor, asked } = qemu({ 'query-pci': buses(0xfea00000), 'human-monitor-command': '' });
    await hasTakenStandby(monitor, PATH, `${PATH}/virtio-backend`, said);
    t.deepEqual(asked, asks ? ['x-query-virtio-status'] : ['query-pci', 'xp /6xw 0xfea00000'], JSON.stringify(said));
  }
});

test('as the status has it', async (t) => {
  const features = (...names: string[]): unknown => ({ 'x-query-virtio-status': { 'guest-features': { transports: [], 'dev-features': names } } });
  const of = (answers: unknown): Promise<boolean | null> => taken(answers as Record<string, unknown>, version(7, 2));
  t.true(await of(features('VIRTIO_NET_F_MAC: Device has given MAC address', 'VIRTIO_NET_F_STANDBY: Device acting as standby for ...')));
  t.false(await of(features('VIRTIO_NET_F_MAC: Device has given MAC address')));
  t.false(await of(features()));
  t.is(await of({}), null);
  t.is(await of({ 'x-query-virtio-status': { 'guest-features': 4 } }), null);
});

test('as the registers of a guest of Linux 6.1 under QEMU 11.1 have it: before its driver, and with it', async (t) => {
  t.false(await registers([0, 0x30bf8024, 0, 0, 0xffff, 0]));
  t.true(await registers([1, 0x40000101, 1, 0x40000101, 0, 0xf]));
});

test('the feature is bit 62 of what the driver accepted, and nothing else tells', async (t) => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  const states = fc.record({ select: fc.oneof(fc.constant(1), word), features: word, status: fc.oneof(fc.constantFrom(0, 3, 0xb, 0xf, 0xffffffff), word), others: fc.tuple(word, word, word) });
  await fc.assert(
    fc.asyncProperty(states, async ({ select, features, status, others: [a, b, c] }) => {
      const expected = status === 0xffffffff ? null : (status & 8) === 0 ? false : select === 1 ? Math.floor(features / 2 ** (62 - 32)) % 2 === 1 : null;
      t.is(await registers([a, b, select, features, c, status]), expected);
    }),
    { numRuns: 300, examples: [[{ select: 1, features: 0x80000000, status: 0xf, others: [0, 0x40000000, 0] }]] },
  );
});

test('what is not mapped has no driver; what is on no PCI bus, or no dump, cannot be told', async (t) => {
  const words = dump([1, 0x40000101, 1, 0x40000101, 0, 0xf]);
  const found = { 'query-pci': buses(0xfea00000), 'human-monitor-command': words };
  t.true(await taken(found));
  for (const address of [0, -1, 2 ** 64]) t.false(await taken({ ...found, 'query-pci': buses(address) }), String(address));
  t.false(await taken(found, NEW, '/machine/peripheral/net1'));
  t.is(await hasTakenStandby(qemu(found).monitor, PATH, PATH, NEW), null);
  t.is(await taken(found, NEW, '/machine/peripheral-anon/device[0]'), null);
  t.is(await taken({ 'query-pci': buses(0xfea00000) }), null);
  t.is(await taken({ 'human-monitor-command': words }), null);
  for (const text of ['', 'Cannot access memory\r\n', words.slice(0, 60), 7]) t.is(await taken({ ...found, 'human-monitor-command': text }), null);
  await t.throwsAsync(taken({ ...found, 'query-pci': [{ devices: [{ slot: 1 }] }] }), { name: 'QmpShapeError' });
});
