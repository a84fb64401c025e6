import test from 'ava';
import fc from 'fast-check';
import { controlsOf } from '../../../src/sriov/controls.js';
import { AdapterError } from '../../../src/sriov/error.js';
import { no, unknown, yes } from '../../../src/sriov/fact.js';
import type { PfFacts, VfConfiguration } from '../../../src/sriov/facts.js';
import { planVf, settingText, settingWords, unlike, type VfSetting, type VfWish, wishFor } from '../../../src/sriov/vf_plan.js';
import { pfFacts, vfConfiguration, vfFacts } from '../../support/pf_facts.js';

const pf = (now: Partial<VfConfiguration> = {}, driver = 'mlx5_core'): PfFacts =>
  pfFacts({ driver: yes(driver), controls: controlsOf(driver), vfs: [vfFacts(0, { configuration: yes(vfConfiguration(now)) })] });
const words = (facts: PfFacts, wish: VfWish): string[] => planVf(facts, 0, wish).changes.map(({ setting }) => settingWords(setting).join(' '));

const ALL: VfWish = {
  mac: '52:54:00:00:00:01', vlan: { id: 7, qos: 3, protocol: '802.1ad' }, spoofCheck: false, trust: true, linkState: 'enable', minRate: 10, maxRate: 100,
};

test('what limits the VF comes first, its MAC address last', (t) => {
  t.deepEqual(words(pf(), ALL), [
    'spoofchk off',
    'trust on',
    'vlan 7 qos 3 proto 802.1ad',
    'max_tx_rate 100 min_tx_rate 10',
    'state enable',
    'mac 52:54:00:00:00:01',
  ]);
});

test('what is not said, and what is so already, is left alone', (t) => {
  t.deepEqual(words(pf(), {}), []);
  t.deepEqual(words(pf({ vlan: 7, mac: '52:54:00:00:00:01' }), { mac: '52:54:00:00:00:01', vlan: { id: 7, qos: 0, protocol: '802.1Q' } }), []);
  t.deepEqual(words(pf({ maxRate: 100 }), { minRate: 10 }), ['max_tx_rate 100 min_tx_rate 10']);
  // Without a VLAN its priority is nothing.
  t.deepEqual(words(pf(), { vlan: { id: 0, qos: 5, protocol: '802.1ad' } }), []);
});

test('no address of the PF is the zero one', (t) => {
  t.deepEqual(words(pf({ mac: '52:54:00:00:00:01' }), { mac: null }), ['mac 00:00:00:00:00:00']);
});

test('what the driver lacks is said, and the rest is done', (t) => {
  const { changes, lacking } = planVf(pf({}, 'igb'), 0, ALL);
  t.deepEqual(lacking.map(({ control }) => control), ['vlan_protocol', 'min_rate', 'link_state']);
  t.regex(lacking[0]?.why ?? '', /the driver igb has no such setting/);
  t.deepEqual(changes.map(({ setting }) => settingText(setting)), ['source check off', 'trust on', 'rate 0 to 100 Mbit/s', 'MAC address 52:54:00:00:00:01']);
});

test('a check that a driver does not have is off: that can be wished, on cannot', (t) => {
  const without = pf({ spoofCheck: no('the driver x has no such setting'), trust: no('the driver x has no such setting') });
  t.deepEqual(planVf(without, 0, { spoofCheck: false, trust: false }), { changes: [], lacking: [] });
  t.deepEqual(planVf(without, 0, { spoofCheck: true }).lacking.map(({ control }) => control), ['spoof_check']);
});

test('of a driver that is not known it is tried', (t) => {
  t.deepEqual(words(pf({}, 'hinic'), { linkState: 'disable' }), ['state disable']);
});

test('wishes that cannot be, and VFs that cannot be put back', (t) => {
  t.throws(() => planVf(pf(), 0, { minRate: 100, maxRate: 10 }), { instanceOf: AdapterError, message: /100 Mbit\/s at least and 10 at most/ });
  t.throws(() => planVf(pf(), 3, {}), { instanceOf: AdapterError, message: 'eth0 has no VF 3' });
  const dumb = pfFacts({ vfs: [vfFacts(0, { configuration: unknown('no answer') })] });
  t.throws(() => planVf(dumb, 0, { mac: null }), { instanceOf: AdapterError, message: /how it is set now cannot be told: no answer/ });
});

function apply(now: VfConfiguration, setting: VfSetting): VfConfiguration {
  switch (setting.kind) {
    case 'spoof-check':
      return { ...now, spoofCheck: yes(setting.on) };
    case 'trust':
      return { ...now, trust: yes(setting.on) };
    case 'vlan':
      return { ...now, vlan: setting.vlan.id, qos: setting.vlan.qos, protocol: setting.vlan.protocol };
    case 'rate':
      return { ...now, minRate: setting.min, maxRate: setting.max };
    case 'link-state':
      return { ...now, linkState: setting.state };
    case 'mac':
      return { ...now, mac: setting.mac };
    default:
      return setting satisfies never;
  }
}

const anyConfiguration = fc
  .record({
    mac: fc.constantFrom(null, '52:54:00:00:00:01', '52:54:00:00:00:02'),
    vlan: fc.constantFrom(0, 7, 8),
    qos: fc.constantFrom(0, 3),
    protocol: fc.constantFrom('802.1Q' as const, '802.1ad' as const),
    spoof: fc.boolean(),
    trust: fc.boolean(),
    linkState: fc.constantFrom('auto' as const, 'enable' as const, 'disable' as const),
    minRate: fc.constantFrom(0, 5),
    maxRate: fc.constantFrom(0, 10, 20),
  })
  .map(({ spoof, trust, vlan, qos, protocol, ...rest }): VfConfiguration => ({
    ...rest,
    // What a driver shows of a VF without VLAN.
    ...(vlan === 0 ? { vlan, qos: 0, protocol: '802.1Q' as const } : { vlan, qos, protocol }),
    ...{ spoofCheck: yes(spoof), trust: yes(trust) },
  }));

test('whatever was set: it is shown, a second time there is nothing to do, and the way back ends where it began', (t) => {
  fc.assert(
    fc.property(anyConfiguration, anyConfiguration, (before, after) => {
      const plan = planVf(pf(before), 0, wishFor(after));
      const set = plan.changes.reduce((now, { setting }) => apply(now, setting), before);
      t.deepEqual(set, after);
      t.deepEqual(unlike(plan.changes.map(({ setting }) => setting), set), []);
      t.deepEqual(planVf(pf(set), 0, wishFor(after)).changes, []);
      const undone = [...plan.changes].reverse().reduce((now, step) => apply(now, step.before), set);
      t.deepEqual(undone, before);
      t.deepEqual(planVf(pf(set), 0, wishFor(before)).changes.reduce((now, { setting }) => apply(now, setting), set), before);
    }),
  );
});

test('what a driver took, but does not show, is noticed', (t) => {
  const settings = planVf(pf(), 0, ALL).changes.map(({ setting }) => setting);
  t.is(unlike(settings, vfConfiguration()).length, settings.length);
});
