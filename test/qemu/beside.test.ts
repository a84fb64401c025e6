import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { deviceIdOf, netdevIdOf } from '../../src/hypervisor/qemu/device_ids.js';
import { plugDevice } from '../../src/hypervisor/qemu/plug.js';
import { QmpClient } from '../../src/hypervisor/qemu/qmp_client.js';
import { unplugDevice } from '../../src/hypervisor/qemu/unplug.js';
import { guest, type BedHost } from './bed.js';
import { guestsTest } from './guests_test.js';
import { median, Traffic } from './traffic.js';

const CYCLES = 2;
const PACKETS_PER_SECOND = 250;
/** A bridge that has lost the guest may not find it again before the next change. */
const WATCH_MS = 1000;

/** One way to move a guest to its VF and back. */
interface Way {
  plug(): Promise<unknown>;
  unplug(): Promise<unknown>;
}

function bridge(host: BedHost, ...words: readonly string[]): void {
  execFileSync('bridge', ['-n', host.netns, ...words]);
}

guestsTest('beside it: the same plugs and unplugs on a plain learning bridge, and with static entries', [{ name: 'a', vfs: [{ port: 'tp0', model: 'vmxnet3' }] }], async (t, bed) => {
  const host = bed.host('a');
  const at = await bed.boot('a', guest(1));
  const { mac } = at.spec;
  const qmp = await QmpClient.connect(at.qemu.labQmpSocket);
  bed.onClose(() => qmp.close());
  // One primary for all of them: a standby keeps its place for the first that it had.
  const id = 'unipath-primary-net0';
  const spec = { id, netdevId: netdevIdOf('tp0'), port: 'tp0', model: 'vmxnet3', mac, bus: 'hotplug0', failoverPairId: 'net0' };
  t.not(deviceIdOf('tp0'), id);
  const plug = async (): Promise<void> => void (await plugDevice(qmp, spec));
  const unplug = async (): Promise<void> => {
    await unplugDevice(qmp, id, { deadlineMs: 5000 });
    await qmp.execute('netdev_del', { id: spec.netdevId }).catch(() => undefined);
  };
  const sticky = (port: string): void => bridge(host, 'fdb', 'replace', mac, 'dev', port, 'master', 'static', 'sticky');
  const ways: Readonly<Record<string, Way>> = {
    'plain learning bridge': { plug, unplug },
    'static FDB entries': {
      plug: async () => {
        await plug();
        sticky('tp0');
      },
      unplug: async () => {
        await unplug();
        sticky(at.tap);
      },
    },
    unipath: {
      plug: () => host.control.act('g1', 'accelerate', 20_000),
      unplug: () => host.control.act('g1', 'software', 20_000),
    },
  };
  const rows: string[] = [];
  let flow = 0;
  for (const [name, way] of Object.entries(ways)) {
    if (name === 'unipath') {
      execFileSync('ip', ['-n', host.netns, 'link', 'set', 'dev', 'tp0', 'down', 'nomaster']);
      bridge(host, 'fdb', 'del', mac, 'dev', at.tap, 'master');
      await host.startDaemon();
    } else if (flow === 0) execFileSync('ip', ['-n', host.netns, 'link', 'set', 'dev', 'tp0', 'master', 'br0', 'up']);
    for (const talks of [true, false]) {
      const traffic = new Traffic(bed.endpoint, at, { id: ++flow, packetsPerSecond: PACKETS_PER_SECOND, talks });
      await traffic.start();
      await sleep(300);
      await traffic.lap();
      const pauses: Record<'plug' | 'unplug', number[]> = { plug: [], unplug: [] };
      for (let i = 0; i < CYCLES; i++) {
        for (const what of ['plug', 'unplug'] as const) {
          await way[what]();
          await sleep(WATCH_MS);
          pauses[what].push(await traffic.lap());
        }
      }
      const { sent, lost, duplicated, reordered } = await traffic.finish();
      const longest = (values: readonly number[]): string => `${median(values).toFixed(0)}/${Math.max(...values).toFixed(0)}`;
      rows.push(
        [name.padEnd(22), talks ? 'talking' : 'silent ', `${lost} of ${sent} lost`, `${duplicated} doubled`, `${reordered} out of order`, `pause at a plug ${longest(pauses.plug)} ms, at an unplug ${longest(pauses.unplug)} ms`].join('  '),
      );
      if (name === 'unipath') t.deepEqual([lost, duplicated, reordered], [0, 0, 0]);
    }
  }
  t.log(`${CYCLES} plugs and unplugs of vmxnet3, ${PACKETS_PER_SECOND} datagrams/s; pauses median/longest\n${rows.join('\n')}`);
}, { long: true });
