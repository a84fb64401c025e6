/** The capabilities of the unit are enough, and none is too many. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../src/paths.js';
import { ip } from '../support/netns.js';
import { DAEMON, Daemon, daemonTest, hostState, makeSite, type Site, started } from './daemon_site.js';

const unit = readFileSync(join(packageRoot, 'src/package/files/unipathd.service'), 'utf8');
const capabilities = (/^CapabilityBoundingSet=(.+)$/m.exec(unit)?.[1] ?? '').split(' ');
const FLOW = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 1 };

/** As root, but with nothing else than the unit's capabilities, less these. */
function without(...names: readonly string[]): string[] {
  const left = capabilities.filter((name) => !names.includes(name)).map((name) => `+${name.replace('CAP_', '').toLowerCase()}`);
  return ['setpriv', `--bounding-set=${['-all', ...left].join(',')}`, '--inh-caps=-all', '--no-new-privs', '--', ...DAEMON];
}

const hasVf = (site: Site): boolean => ip(site.guest, 'link show').includes('vf0@');

async function plugged(site: Site): Promise<void> {
  await site.client.act('g1', 'accelerate');
  for (let i = 0; i < 500 && !hasVf(site); i++) await sleep(20);
}

daemonTest('with those of the unit it attaches, plugs, explains and undoes it all', async (t) => {
  const site = makeSite(t);
  const before = hostState(site);
  const daemon = await started(t, site, without());
  await plugged(site);
  t.true(hasVf(site), daemon.log);
  t.is((await site.client.explain({ vnic: 'g1', from: 'wire', flow: FLOW })).explanations.length, 1);
  await site.client.down();
  t.is(await daemon.end(), 0);
  t.deepEqual(hostState(site), before);
});

daemonTest('without CAP_SYS_ADMIN all but network namespaces and explanations', async (t) => {
  const site = makeSite(t);
  const daemon = await started(t, site, without('CAP_SYS_ADMIN'));
  t.like((await site.client.status()).adapters[0], { attached: true });
  void site.client.act('g1', 'accelerate');
  await daemon.says(/setting the network namespace \S+ failed: Operation not permitted/);
  await t.throwsAsync(site.client.explain({ vnic: 'g1', from: 'wire', flow: FLOW }), { message: /EPERM/ });
  await site.client.down();
  t.is(await daemon.end(), 0);
});

// CAP_SYS_ADMIN would stand for CAP_BPF and CAP_PERFMON.
for (const [name, why] of [['CAP_BPF', /EPERM/], ['CAP_PERFMON', /EACCES/]] as const) {
  daemonTest(`without ${name} it says at once that it cannot work`, async (t) => {
    const site = makeSite(t);
    const daemon = new Daemon(t, site.host, ['--config', site.configFile], without('CAP_SYS_ADMIN', name));
    t.is(await daemon.end(), 1);
    t.regex(daemon.err, why);
  });
}

daemonTest('without CAP_NET_ADMIN nothing of the host can be set', async (t) => {
  const site = makeSite(t);
  const daemon = await started(t, site, without('CAP_NET_ADMIN'));
  await t.notThrowsAsync(daemon.says(/could not .*Operation not permitted/));
});

daemonTest('without CAP_NET_RAW a guest cannot be spoken to', async (t) => {
  const site = makeSite(t);
  const daemon = await started(t, site, without('CAP_NET_RAW'));
  await plugged(site);
  await site.client.act('g1', 'software');
  await t.notThrowsAsync(daemon.says(/socket \(AF_PACKET\) failed: EPERM/));
});
