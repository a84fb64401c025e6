/**
 * unipath's agent inside a guest: lets the guest's IP interface use a VF whenever there is one.
 *
 *   agent.js --pins /sys/fs/bpf/unipath-guest/NAME [--interface eth0] [--vlan 0]
 *
 * Says what happens on stdout, one JSON object per line: {"event", "monotonic_ms", ...}; first {"event": "ready"}. SIGTERM takes
 * everything back. After SIGKILL the programs go on; the next agent takes them over.
 */
import { parseArgs } from 'node:util';
import { checkInterfaceName } from '../host/names.js';
import { Links } from '../host/links.js';
import { type AgentEvent, GuestAgent } from './guest_agent.js';
import { GuestPlugin, pluginStatePin } from './plugin.js';

function say(event: AgentEvent | { readonly event: 'ready' | 'stopped'; readonly pid: number; readonly pin: string }): void {
  const { event: kind, ...fields } = event;
  const monotonicMs = Number(process.hrtime.bigint() / 1000n) / 1000;
  process.stdout.write(`${JSON.stringify({ event: kind, monotonic_ms: monotonicMs, ...fields })}\n`);
}

const fail = (error: unknown): void => {
  process.stderr.write(`guest agent: ${error instanceof Error ? error.message : String(error)}\n`);
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { interface: { type: 'string', default: 'eth0' }, pins: { type: 'string' }, vlan: { type: 'string', default: '0' } },
  });
  const { pins: root } = values;
  const vlan = Number(values.vlan);
  if (root === undefined) throw new Error('--pins is missing: a folder on a bpffs, such as /sys/fs/bpf/unipath-guest/NAME');
  if (!Number.isInteger(vlan) || vlan < 0 || vlan > 4094) throw new Error(`--vlan ${values.vlan}: 0 to 4094`);

  // Whoever reads our words may go away before we do.
  process.stdout.on('error', () => {});
  const plugin = await GuestPlugin.load(root);
  const links = new Links((message) => say({ event: 'error', message }));
  const agent = new GuestAgent({ interface: checkInterfaceName(values.interface), vlan }, plugin, links, say);
  const pin = pluginStatePin(root);
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await agent.stop();
    links.close();
    plugin.remove();
    say({ event: 'stopped', pid: process.pid, pin });
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stop().catch((error: unknown) => {
        fail(error);
        process.exit(1);
      });
    });
  }
  try {
    await agent.start();
  } catch (error) {
    await agent.stop();
    plugin.remove();
    throw error;
  }
  say({ event: 'ready', pid: process.pid, pin });
}

main().catch((error: unknown) => {
  fail(error);
  process.exit(1);
});
