import test from 'ava';
import type { VnicStatus } from '../../../src/control/protocol.js';
import type { LiveMachine } from '../../../src/hypervisor/machine_source.js';
import type { MachineHypervisor } from '../../../src/hypervisor/machines.js';
import type { QemuMonitor } from '../../../src/hypervisor/qemu/monitor.js';
import type { Machine } from '../../../src/hypervisor/qemu/machine.js';
import { VmControl } from '../../../src/hypervisor/vm_control.js';

const MAC = '52:54:00:00:00:01';
const REQUEST = { uri: 'unix:/run/there' };

/** A machine `web` whose guest gives its VF back when it was asked for so many looks; Infinity: never. */
function bed({ looks, partingMs }: { readonly looks: number; readonly partingMs: number }) {
  const commands: string[] = [];
  const parked: boolean[] = [];
  const execute = async (command: string): Promise<unknown> => {
    commands.push(command);
    return command === 'query-migrate' ? { status: 'completed', 'total-time': 5, downtime: 1 } : {};
  };
  const machine = { runState: 'running', migration: null, nics: [{ mac: MAC }] } as unknown as Machine;
  const live = { name: 'web', monitor: { execute } as unknown as QemuMonitor, machine } as LiveMachine;
  const machines = { machines: () => [live], park: (_vm: string, on: boolean) => void parked.push(on) } as unknown as MachineHypervisor;
  let left = looks;
  const vnics = (): VnicStatus[] => [{ name: 'g1', mac: MAC, vf: left-- > 0 ? 'vfp0' : null, reason_text: 'it is being taken back' } as VnicStatus];
  return { control: new VmControl({ machines, vnics, changed: () => undefined, partingMs }), commands, parked };
}

test('a guest is migrated when it has given its VFs back, however long it may take', async (t) => {
  const { control, commands, parked } = bed({ looks: 5, partingMs: 60_000 });
  t.like(await control.migrate('web', REQUEST), { outcome: 'completed', total_ms: 5, downtime_ms: 1 });
  t.deepEqual(commands, ['migrate', 'query-migrate']);
  t.deepEqual(parked, [true, false]);
});

test('one that keeps them for longer than it may is not migrated, and gets them again', async (t) => {
  const { control, commands, parked } = bed({ looks: Infinity, partingMs: 50 });
  await t.throwsAsync(control.migrate('web', REQUEST), { name: 'VmError', message: /within 0.05 s \(g1: it is being taken back\); it was not migrated/ });
  t.deepEqual(commands, []);
  t.deepEqual(parked, [true, false]);
});
