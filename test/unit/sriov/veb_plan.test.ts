import test from 'ava';
import { no } from '../../../src/sriov/fact.js';
import { giveBackSteps, type HandOver, PARKING_VLAN, prepareSteps, releaseSteps, takeOverSteps, type VebStep, vebStepText } from '../../../src/sriov/veb_plan.js';
import { pfFacts } from '../../support/pf_facts.js';

const MAC = '52:54:00:00:00:a0';
const untagged: HandOver = { vf: 0, mac: MAC, vlan: { id: 0, qos: 0, protocol: '802.1Q' } };
const tagged: HandOver = { vf: 0, mac: MAC, vlan: { id: 7, qos: 3, protocol: '802.1Q' } };

/** What an adapter goes by when it looks who gets a frame. */
interface Adapter {
  readonly own: boolean;
  readonly vfMac: string | null;
  readonly vfVlan: number;
}

function apply(adapter: Adapter, step: VebStep): Adapter {
  if (step.kind === 'own-entry') return { ...adapter, own: step.present };
  if (step.setting.kind === 'mac') return { ...adapter, vfMac: step.setting.mac };
  return step.setting.kind === 'vlan' ? { ...adapter, vfVlan: step.setting.vlan.id } : adapter;
}

/** Who gets a frame to the guest in its VLAN. */
function hearers({ own, vfMac, vfVlan }: Adapter, { vlan }: HandOver): string {
  return [own ? 'host' : '', vfMac === MAC && vfVlan === vlan.id ? 'VF' : ''].filter((name) => name !== '').join(' and ');
}

/** Hearers after each step. */
function walk(start: Adapter, steps: readonly VebStep[], handOver: HandOver): { readonly heard: string[]; readonly end: Adapter } {
  let adapter = start;
  const heard = steps.map((step) => hearers((adapter = apply(adapter, step)), handOver));
  return { heard, end: adapter };
}

for (const handOver of [untagged, tagged]) {
  test(`there is no moment in which nobody hears, and none but the changes in which two do: VLAN ${handOver.vlan.id}`, (t) => {
    // As before the first vNIC: nobody's own, and the VF as it comes.
    const prepared = walk({ own: false, vfMac: null, vfVlan: 0 }, prepareSteps(pfFacts(), handOver), handOver);
    t.deepEqual(prepared.heard, ['host', 'host', 'host']);
    const taken = walk(prepared.end, takeOverSteps(handOver), handOver);
    t.deepEqual(taken.heard, ['host and VF', 'VF']);
    const given = walk(taken.end, giveBackSteps(handOver), handOver);
    t.deepEqual(given.heard, ['host and VF', 'host']);
    const released = walk(given.end, releaseSteps(handOver), handOver);
    t.deepEqual(released.heard, ['host', 'host']);
    t.deepEqual(released.end, { own: true, vfMac: null, vfVlan: 0 });
  });
}

test('every step says what it was before, so that it can be undone', (t) => {
  const [, vlan, mac] = prepareSteps(pfFacts(), untagged);
  t.like(vlan, { setting: { vlan: { id: PARKING_VLAN } }, before: { vlan: { id: 0 } } });
  t.like(mac, { setting: { mac: MAC }, before: { mac: null } });
  t.is(vebStepText('eth0', vlan as VebStep), 'eth0: VF 0: VLAN 4094');
  t.is(vebStepText('eth0', { kind: 'own-entry', mac: MAC, present: false }), `eth0: no longer hear ${MAC}`);
});

test('refused where a VF cannot be parked', (t) => {
  const pf = pfFacts();
  t.throws(() => prepareSteps({ ...pf, controls: { ...pf.controls, vlan: no('the driver x has no such setting') } }, untagged), {
    message: 'VF 0 cannot be kept from hearing before its guest does: vlan: the driver x has no such setting',
  });
  t.throws(() => prepareSteps(pf, { ...untagged, vlan: { ...untagged.vlan, id: PARKING_VLAN } }), { message: /no guest can be in it/ });
  t.throws(() => prepareSteps(pf, { ...untagged, vf: 9 }), { message: 'eth0 has no VF 9' });
});
