import { guestCommandLine } from '../../src/lab/qemu/command_line.js';
import { framesFrom, GUEST, guestTest, linkOfDriver, MAC, plugPrimary, startBed, until, unplugPrimary, WIRE } from './guest_bed.js';

/** Node.js and the programs' loading on an emulated CPU. */
const AGENT_MS = 60_000;

guestTest.serial("unipath's agent runs in a guest and moves its interface to the VF and back", async (t) => {
  const bed = await startBed(t, {
    image: 'node',
    commandLine: guestCommandLine({ ip: `${GUEST}/24`, agent: 'eth0' }),
    nics: [{ id: 'net0', tap: 'tv', mac: MAC }],
  });
  const { guest } = bed;
  const said = async (event: string) => {
    await until(`the agent says ${event}`, async () => ((await guest.run('cat /run/agent.log')).includes(`"${event}"`) ? true : null), AGENT_MS);
  };
  const booted = performance.now();
  await said('ready');
  t.log(`booted in ${bed.bootMs} ms, agent ready ${Math.round(performance.now() - booted)} ms later`);
  t.regex(await guest.run('bpftool net show dev eth0'), /eth0.*plugin_ingress[^]*eth0.*plugin_egress/);
  t.regex(await guest.run(`ping -c 2 -i 0.2 ${WIRE}`), / 0% packet loss/);

  await plugPrimary(bed, 'vmxnet3', { failover: false });
  await said('vf-registered');
  t.is((await linkOfDriver(guest, 'vmxnet3'))?.master, undefined);
  const sentBefore = framesFrom(bed, 'tp');
  t.regex(await guest.run(`ping -c 5 -i 0.2 ${WIRE}`), / 0% packet loss/);
  t.true(framesFrom(bed, 'tp') >= sentBefore + 5, 'the echo requests went out through the VF');

  await unplugPrimary(bed);
  await said('vf-withdrawn');
  t.regex(await guest.run(`ping -c 2 -i 0.2 ${WIRE}`), / 0% packet loss/);
  await guest.run('killall node');
  await said('stopped');
});
