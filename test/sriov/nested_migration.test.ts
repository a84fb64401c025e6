/**
 * A virtual machine inside the machine that plays a KVM host is migrated live from a VF of one adapter to a VF of another: two sides, each with its own
 * unipathd and QEMU. An orchestrator migrates it, and unipathd follows. Emulation twice: minutes.
 */
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { HostMachine } from '../../src/lab/sriov/machine.js';
import type { Migrated } from '../qemu/migration.js';
import { PF_MACS, sriovTest, useMachine } from './bed.js';
import { bootedGuest, MAC } from './booted_guest.js';
import { answers, answersText, ask, BOOT_MS, createWorld, Side, VF_OF_GUEST, WAIT_S } from './nested_bed.js';

const script = fileURLToPath(new URL('./nested_migrate.js', import.meta.url));
const MIGRATION_MS = 320_000;
const TIMEOUT_MS = 900_000;
/** Questions, of two a second, that one station may have fewer answers to than another. */
const UNEVEN = 15;

useMachine({ adapters: PF_MACS.map((mac) => ({ mac })), bootMs: BOOT_MS });

class Story {
  readonly #t: ExecutionContext;
  readonly #machine: HostMachine;
  readonly #started = performance.now();
  readonly #a: Side;
  readonly #b: Side;

  constructor(t: ExecutionContext, machine: HostMachine) {
    this.#t = t;
    this.#machine = machine;
    this.#a = new Side(machine, { name: 'a', pf: 'eth0', vf: '0000:01:10.0', policy: 'software', neighbour: true });
    this.#b = new Side(machine, { name: 'b', pf: 'eth1', vf: '0000:02:10.0', policy: 'accelerated', neighbour: false });
  }

  async play(): Promise<void> {
    const [t, machine, a, b] = [this.#t, this.#machine, this.#a, this.#b];
    for (const side of [a, b]) await side.create();
    await createWorld(machine);
    const before = { a: await a.state(), b: await b.state(), vfOfA: await a.vfLine() };
    for (const side of [a, b]) await side.startDaemon();
    const guest = await bootedGuest(t);
    for (const side of [a, b]) await side.untilReady();
    this.#at('both unipathds are ready');
    await a.startGuest(guest);
    await a.untilAnswered();
    this.#at('the guest answers');

    await ask(machine);
    await a.unipath(`vnic accelerate g1 --wait ${WAIT_S}`);
    await this.#onVf(a, b);
    await this.#heard('given a VF');

    await ask(machine);
    await b.startGuest('defer');
    await b.until(({ reason }) => reason === 'guest_incoming');
    this.#at('the other side waits for it');
    const words = `${process.execPath} ${script} ${a.monitor} ${b.monitor} /run/b`;
    const { outcome, stoppedMs, totalMs, events } = JSON.parse(await machine.run(words, { deadlineMs: MIGRATION_MS })) as Migrated;
    this.#at(`${outcome}; took ${(totalMs / 1000).toFixed(1)} s, QEMU stood still for ${(stoppedMs / 1000).toFixed(1)} s`);
    t.is(outcome, 'completed', events.join('\n'));
    await this.#heard('migrated');

    await ask(machine);
    await b.unipath(`vnic auto g1 --wait ${WAIT_S}`);
    // Until then QEMU keeps the VF that it took from the guest.
    await a.endGuest();
    await a.until(({ phase, vf }) => phase === 'absent' && vf === null);
    await this.#onVf(b, a);
    await this.#heard('given a VF of the other adapter');
    t.is(await a.vfLine(), before.vfOfA);

    await b.unipath(`vnic software g1 --wait ${WAIT_S}`);
    this.#at('on its tap');
    for (const side of [b, a]) await side.unipath('down');
    t.is(await a.state(), before.a);
    t.is(await b.state(), before.b);
    await b.endGuest();
  }

  async explain(): Promise<void> {
    this.#t.log(await this.#a.words(), await this.#b.words(), await this.#machine.run('dmesg | tail -n 40'));
  }

  #at(what: string): void {
    this.#t.log(`${((performance.now() - this.#started) / 1000).toFixed(0)} s: ${what}`);
  }

  /** The guest is on this side's VF, which its QEMU alone holds, and nothing of it is on the other side. */
  async #onVf(here: Side, there: Side): Promise<void> {
    const t = this.#t;
    this.#at(`on the VF of side ${here.name}`);
    t.like(await here.vnic(), { phase: 'accelerated', path: 'accelerated' });
    t.like(await there.vnic(), { phase: 'absent', vf: null });
    t.regex(await here.vfLine(), VF_OF_GUEST);
    t.regex(await here.holders(), /^\d+$/);
    t.is(await there.holders(), '');
    for (const side of [here, there]) t.false((await side.ownAddresses()).includes(MAC), side.name);
    const counts = async (): Promise<number[]> => [await here.toTap(), await there.toTap()];
    await this.#machine.run('sleep 4', { deadlineMs: 60_000 });
    const earlier = await counts();
    await this.#machine.run('sleep 4', { deadlineMs: 60_000 });
    const later = await counts();
    t.true(later.every((count, i) => count - (earlier[i] ?? 0) < 5), `frames still go to a tap: ${earlier.join(', ')}, then ${later.join(', ')}`);
  }

  async #heard(what: string): Promise<void> {
    const all = await answers(this.#machine);
    for (const result of all) {
      this.#t.log(`${what}: ${answersText(result)}`);
      this.#t.true(result.answered > 10, result.station);
    }
    const answered = all.map((result) => result.answered);
    this.#t.true(Math.max(...answered) - Math.min(...answered) <= UNEVEN, `${what}: who asks from where makes a difference`);
  }
}

sriovTest('a guest on a VF is migrated live to a VF of another adapter, and everybody reaches it', async (t, machine) => {
  const story = new Story(t, machine);
  try {
    await story.play();
  } catch (error) {
    await story.explain();
    throw error;
  }
}, { long: true, timeoutMs: TIMEOUT_MS });
