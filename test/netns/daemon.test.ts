import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { run } from '../support/cli.js';
import { ip } from '../support/netns.js';
import { Daemon, daemonTest, hostState, makeSite, type Site, started, xdpOf } from './daemon_site.js';

/** What is in force, as a file, is what is in force; and what another file would change is said. */
async function configIsShown(t: ExecutionContext, site: Site): Promise<void> {
  const unipath = async (...words: readonly string[]): Promise<string> => {
    const { code, out, err } = await run(['--socket', site.socket, ...words]);
    t.is(code, 0, err);
    return out;
  };
  const shown = join(dirname(site.configFile), 'shown.yaml');
  writeFileSync(shown, await unipath('config', 'show'));
  t.is(await unipath('config', 'diff', shown), 'nothing would change\n');
  t.is(await unipath('config', 'diff', site.configFile), 'nothing would change\n');
  const other = readFileSync(shown, 'utf8').replace('policy: software', 'policy: accelerated').replace('xdp_mode: auto', 'xdp_mode: generic');
  writeFileSync(shown, other);
  const changes = await unipath('config', 'diff', shown);
  t.regex(changes, /^changed vnic g1: policy software -> accelerated$/m);
  t.regex(changes, /^changed xdp_mode auto -> generic \(with the next start\)$/m);
}

daemonTest('what is wrong is said in one sentence before anything is changed', async (t) => {
  const site = makeSite(t);
  const before = hostState(site);
  const refused = async (pattern: RegExp, exitCode: number, ...args: readonly string[]): Promise<void> => {
    const daemon = new Daemon(t, site.host, args);
    t.is(await daemon.end(), exitCode);
    t.regex(daemon.err, pattern);
  };
  await refused(/required option '--config <file>' not specified/, 2);
  await refused(/^unipathd: .*none\.yaml: no such file; write one/, 1, '--config', `${site.configFile}.none.yaml`);
  site.writeConfig({ xdp_mode: 'turbo' });
  await refused(/^unipathd: .*unipath\.yaml:\d+:\d+: xdp_mode: "turbo" is none of: auto, native, generic/, 1, '--config', site.configFile);
  site.writeConfig({ pins: join(dirname(site.configFile), 'pins') });
  await refused(/^unipathd: .*pins is not on a bpffs; mount one/, 1, '--config', site.configFile);
  t.false(existsSync(site.socket));
  t.false(existsSync(site.pins));
  t.deepEqual(hostState(site), before);
});

daemonTest('ended, killed and started again: the data plane stays; down leaves the host as it was', async (t) => {
  const site = makeSite(t);
  const before = hostState(site);

  const first = await started(t, site);
  t.like(await site.client.status(), {
    adopted: false,
    reconcile_error: null,
    adapters: [{ attached: true }],
    vnics: [{ name: 'g1', path: 'software' }],
  });
  const second = new Daemon(t, site.host, ['--config', site.configFile]);
  t.is(await second.end(), 1);
  t.regex(second.err, new RegExp(`^unipathd: unipathd with pid ${first.child.pid} listens on ${site.socket} already`));
  t.true((await site.client.metrics()).includes('unipath_up 1\n'));

  t.is(await first.end('SIGTERM'), 0);
  t.false(existsSync(site.socket));
  t.true(xdpOf(site, 'pf0') && xdpOf(site, 'tap-g1'));

  const third = await started(t, site);
  t.true((await site.client.status()).adopted);
  await configIsShown(t, site);
  await third.end('SIGKILL');
  t.true(xdpOf(site, 'pf0') && xdpOf(site, 'tap-g1'));

  const fourth = await started(t, site);
  const reply = await site.client.act('g1', 'accelerate');
  t.false(reply.reached);
  for (let i = 0; i < 200 && ip(site.host, 'link show').includes('vf0@'); i++) await sleep(20);
  t.regex(ip(site.guest, 'link show dev vf0'), /52:54:00:00:00:01/);
  t.true((await site.client.down()).undone.length > 0);
  t.is(await fourth.end(), 0);
  t.false(existsSync(site.pins));
  t.deepEqual(hostState(site), before);
});

daemonTest('SIGHUP and reload: a good file is taken, a bad one is not', async (t) => {
  const site = makeSite(t);
  const daemon = await started(t, site);
  const names = async (): Promise<string[]> => (await site.client.status()).vnics.map(({ name }) => name);
  site.writeConfig({ vnics: 'none' });
  daemon.child.kill('SIGHUP');
  await daemon.says(/the configuration could not be read again; the old one stays/);
  t.deepEqual(await names(), ['g1']);
  t.true((await site.client.metrics()).includes('unipath_config_last_reload_successful 0\n'));
  await t.throwsAsync(site.client.reload(), { message: /unipath\.yaml:\d+:\d+: vnics: must be a list, not text/ });

  site.writeConfig({ vnics: [], flows_per_vnic: 128 });
  t.deepEqual((await site.client.reload(true)).removed, ['vnic g1']);
  t.true((await site.client.status()).vnics.some(({ name }) => name === 'g1'));
  t.deepEqual((await site.client.reload()).removed, ['vnic g1']);
  await daemon.says(/the other settings take effect with the next start/);
  t.deepEqual(await names(), []);
  t.true((await site.client.metrics()).includes('unipath_config_last_reload_successful 1\n'));

  site.writeConfig();
  daemon.child.kill('SIGHUP');
  for (let i = 0; i < 200 && (await names()).length === 0; i++) await sleep(20);
  t.deepEqual(await names(), ['g1']);
  t.is(await daemon.end('SIGINT'), 0);
});

daemonTest('settings of RSS by command and by configuration: into the maps, over a restart, and back', async (t) => {
  const site = makeSite(t);
  const vnic = { name: 'g1', mac: '52:54:00:00:00:01', adapter: 'nic0', tap: 'tap-g1', guest: { netns: site.guest }, policy: 'software' };
  const addresses = ['192.0.2.10', '2001:db8::/64'];
  site.writeConfig({ vnics: [{ ...vnic, vlan: { trunk: [5, 0] }, addresses, reta: { weights: [3, 1] } }] });
  const first = await started(t, site);
  const shares = async (): Promise<unknown> => (await site.client.rss()).vnics[0]?.ports[0]?.shares.map(({ buckets }) => buckets);
  t.deepEqual(await shares(), [96, 32]);
  const [seen] = (await site.client.status()).vnics;
  t.like(seen, { vlans: [0, 5], access: false, addresses, cut_through: { setting: 'auto', in_force: false } });
  // A veth without NAPI at its other end.
  t.is(seen?.cut_through.why, 'tap-g1 takes no frames from programs on other devices');
  const drawn = (await site.client.rss()).key;
  const key = '5a'.repeat(40);
  await site.client.setRss(null, { key, hash_types: ['ipv4'] });
  const { changes } = await site.client.setRss('g1', { weights: [1, 1] });
  t.deepEqual(changes.map(({ buckets_moved }) => buckets_moved), [0, 32]);
  await first.end('SIGKILL');

  const second = await started(t, site);
  t.deepEqual(await shares(), [64, 64]);
  t.like(await site.client.rss(), { key, key_source: 'operator', hash_types: ['ipv4'] });
  await site.client.setRss(null, { reset: true });
  const { rss } = await site.client.setRss('g1', { reset: true });
  t.like(rss.vnics[0], { weights: [3, 1], weights_source: 'configuration', hash_types_source: 'default' });
  t.deepEqual(await shares(), [96, 32]);
  const after = await site.client.rss();
  t.like(after, { key_source: 'default', key_random: true });
  t.false([key, drawn].includes(after.key));

  site.writeConfig({ vnics: [{ ...vnic, vlan: { access: 5 } }], rss: { key: 'nic' } });
  await site.client.reload();
  const [refused] = (await site.client.status()).vnics;
  t.like(refused, { reason: 'bridge_without_vlan_filtering' });
  t.regex(refused?.reason_text ?? '', /run: ip link set br0 type bridge vlan_filtering 1/);
  t.regex((await site.client.rss()).key_problem ?? '', /^pf0 has no RSS key that could be read/);
  t.is(await second.end('SIGTERM'), 0);
});
