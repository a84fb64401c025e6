/** The parts of netns_hypervisor.test.ts that must run inside the host's network namespace: prints what it saw as JSON. */
import type { GuestSpec, MacAddress, VfSpec } from '../../src/core/model.js';
import { Links } from '../../src/host/links.js';
import { NetnsHypervisor } from '../../src/hypervisor/netns.js';

const [scenario = '', netns = '', device = 'vf0', port = 'vfp0', address = '52:54:00:00:00:01'] = process.argv.slice(2);
const guest: GuestSpec = { kind: 'netns', netns };
const vf: VfSpec = { kind: 'netdev', port, device };
const mac = address as MacAddress;
const links = new Links();
const hypervisor = new NetnsHypervisor(() => links.dump());

async function attempt(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
    return 'ok';
  } catch (error) {
    return (error as Error).message;
  }
}

const scenarios: Readonly<Record<string, () => Promise<unknown>>> = {
  exists: async () => (await hypervisor.look(guest)) !== null,
  holds: () => hypervisor.holds(guest, vf),
  plug: () => attempt(() => hypervisor.plug(guest, vf, mac)),
  unplug: () => attempt(() => hypervisor.unplug(guest, vf)),
  twice: async () => [
    await attempt(() => hypervisor.plug(guest, vf, mac)),
    await attempt(() => hypervisor.plug(guest, vf, mac)),
    await hypervisor.holds(guest, vf),
    await attempt(() => hypervisor.unplug(guest, vf)),
    await attempt(() => hypervisor.unplug(guest, vf)),
    await hypervisor.holds(guest, vf),
  ],
};

const result = await scenarios[scenario]?.();
links.close();
process.stdout.write(JSON.stringify(result));
