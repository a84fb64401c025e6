import test from 'ava';
import fc from 'fast-check';
import { FrameCopier, type FrameIo } from '../../../src/lab/frame_copier.js';

/** Descriptors as lists of frames. Does not prove how the kernel cuts, delays or refuses. */
class FakeTaps implements FrameIo {
  readonly inbound = new Map<number, number[]>();
  readonly outbound = new Map<number, number[]>();
  readonly down = new Set<number>();
  /** Says "no room" when it returns true. */
  full: () => boolean = () => false;

  read(fd: number, into: Buffer): number {
    if (this.down.has(fd)) throw new Error('down');
    const frame = this.inbound.get(fd)?.shift();
    if (frame === undefined) return 0;
    into.writeUInt32LE(frame, 0);
    return 64 + (frame % 10);
  }

  write(fd: number, frame: Buffer, length: number): boolean {
    if (this.down.has(fd)) throw new Error('down');
    if (this.full()) return false;
    const number = frame.readUInt32LE(0);
    if (length !== 64 + (number % 10)) throw new Error(`frame ${number} has ${length} bytes`);
    this.list(this.outbound, fd).push(number);
    return true;
  }

  isDown(error: unknown): boolean {
    return error instanceof Error && error.message === 'down';
  }

  give(fd: number, ...frames: number[]): void {
    this.list(this.inbound, fd).push(...frames);
  }

  written(fd: number): readonly number[] {
    return this.outbound.get(fd) ?? [];
  }

  list(lists: Map<number, number[]>, fd: number): number[] {
    const list = lists.get(fd) ?? [];
    lists.set(fd, list);
    return list;
  }
}

const GUEST = [10, 11];
const HOST_A = [20, 21];
const HOST_B = [30, 31];

function copierOnA(): { taps: FakeTaps; copier: FrameCopier } {
  const taps = new FakeTaps();
  const copier = new FrameCopier(taps, GUEST);
  copier.attach('a', 'tap', HOST_A);
  return { taps, copier };
}

const increasing = (frames: readonly number[]): boolean => frames.every((frame, i) => i === 0 || frame > (frames[i - 1] ?? 0));

test('a frame keeps its queue, both ways', (t) => {
  const { taps, copier } = copierOnA();
  taps.give(20, 1);
  taps.give(21, 2);
  taps.give(10, 3);
  taps.give(11, 4);
  t.is(copier.pump(), 4);
  t.deepEqual([taps.written(10), taps.written(11), taps.written(20), taps.written(21)], [[1], [2], [3], [4]]);
});

test('nothing is lost, doubled or overtaken while hosts come, take over and go and targets are full at any time', (t) => {
  const frames = fc.record({
    kind: fc.constant('frames' as const),
    fd: fc.constantFrom(...GUEST, ...HOST_A, ...HOST_B),
    count: fc.integer({ min: 1, max: 200 }),
  });
  const event = fc.oneof(
    { weight: 8, arbitrary: frames },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('pump' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('attach' as const, 'switch' as const, 'detach' as const) }) },
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), fc.infiniteStream(fc.integer({ min: 0, max: 99 })), (events, random) => {
      const { taps, copier } = copierOnA();
      let difficult = true;
      taps.full = () => difficult && random.next().value < 30;
      let number = 0;
      const given = new Map<number, number[]>();
      const host = { attached: false, gone: false };
      for (const each of events) {
        if (each.kind === 'frames') {
          // A tap with no reader takes no frames.
          if (HOST_B.includes(each.fd) && !host.attached) continue;
          if (HOST_A.includes(each.fd) && host.gone) continue;
          const frames = Array.from({ length: each.count }, () => ++number);
          taps.give(each.fd, ...frames);
          given.set(each.fd, [...(given.get(each.fd) ?? []), ...frames]);
        } else if (each.kind === 'pump') copier.pump();
        else if (each.kind === 'attach' && !host.attached) {
          copier.attach('b', 'tap', HOST_B);
          host.attached = true;
        } else if (each.kind === 'switch' && host.attached) copier.switch();
        else if (each.kind === 'detach' && host.attached && !host.gone) {
          copier.switch();
          while (!copier.drain('a'));
          copier.detach('a');
          host.gone = true;
        }
      }
      difficult = false;
      while (copier.pump() > 0 || copier.blocked);
      for (const queue of [0, 1]) {
        const of = (fds: readonly number[]): number => fds[queue] ?? 0;
        const [guest, a, b] = [of(GUEST), of(HOST_A), of(HOST_B)];
        const toGuest = taps.written(guest);
        const [fromA, fromB] = [given.get(a) ?? [], given.get(b) ?? []];
        t.deepEqual(toGuest.filter((frame) => fromA.includes(frame)), fromA);
        t.deepEqual(toGuest.filter((frame) => fromB.includes(frame)), fromB);
        t.is(toGuest.length, fromA.length + fromB.length);
        const fromGuest = [...taps.written(a), ...taps.written(b)];
        t.true(increasing(fromGuest), 'what went to the old host is older than what went to the new one');
        t.deepEqual(fromGuest, given.get(guest) ?? []);
      }
    }),
    { numRuns: 200 },
  );
});

test('frames of every attached host reach the guest, the guest goes to one only', (t) => {
  const { taps, copier } = copierOnA();
  copier.attach('b', 'tap', HOST_B);
  taps.give(10, 1);
  copier.pump();
  t.is(copier.switch().netns, 'b');
  taps.give(10, 2);
  taps.give(20, 3);
  taps.give(30, 4);
  copier.pump();
  t.deepEqual([taps.written(20), taps.written(30)], [[1], [2]]);
  t.deepEqual([...taps.written(10)].sort(), [3, 4]);
  const { hosts } = copier.stats();
  t.deepEqual(hosts.map(({ netns, current, fromGuest }) => ({ netns, current, fromGuest })), [
    { netns: 'a', current: false, fromGuest: [1, 0] },
    { netns: 'b', current: true, fromGuest: [1, 0] },
  ]);
});

test('the tap that the guest transmits to is not given up', (t) => {
  const { copier } = copierOnA();
  copier.attach('b', 'tap', HOST_B);
  t.throws(() => copier.detach('a'), { message: /switch first/ });
  copier.switch();
  t.deepEqual(copier.detach('a'), HOST_A);
  t.throws(() => copier.detach('a'), { message: /no tap in a is attached; there are: b/ });
});

test('frames for a device that is down are counted, and others go on', (t) => {
  const { taps, copier } = copierOnA();
  taps.down.add(20);
  taps.give(10, 1, 2);
  taps.give(11, 3);
  copier.pump();
  t.deepEqual(copier.stats().fromGuest.map(({ frames, refused }) => ({ frames, refused })), [
    { frames: 0, refused: 2 },
    { frames: 1, refused: 0 },
  ]);
  taps.down.clear();
  taps.give(10, 4);
  copier.pump();
  t.deepEqual(taps.written(20), [4]);
});

test('a tap with another number of queues and a second tap of one host are refused', (t) => {
  const { copier } = copierOnA();
  t.throws(() => copier.attach('b', 'tap', [30]), { message: /the guest has 2 queues/ });
  t.throws(() => copier.attach('a', 'tap', HOST_B), { message: /attached already/ });
});
