/**
 * VLANs on a tagged uplink, frame by frame: an access guest never sees a tag and never gives one, its frames carry its VLAN on the
 * wire, a trunk guest sees those of its VLANs as they are, and nobody sees another VLAN.
 */
import { bedTest, runOnBed } from './bed/run.js';
import type { VlanSeen } from './vlans_scenarios.js';

const scenarios = new URL('./vlans_scenarios.js', import.meta.url);
const FRAMES = 4;

/**
 * What was sent (`-` untagged, VLAN/priority) from whom to whom; whose end it arrives at, and how, or null; the reason, with the
 * vNIC it is counted for.
 */
const CASES: readonly (readonly [sent: string, arrives: string | null, counted: string])[] = [
  ['world > a 7/3', 'a -', 'a redirect_single'],
  ['world > a 8/0', null, 'nobody pass_unknown_mac'],
  ['world > a -', null, 'nobody pass_unknown_mac'],
  ['world > c 8/0', 'c -', 'c redirect_single'],
  ['world > t 8/1', 't 8/1', 't redirect_single'],
  ['world > t 9/0', null, 'nobody pass_unknown_mac'],
  ['a > world -', 'world 7/0', 'a redirect_uplink'],
  ['a > world 0/5', 'world 7/5', 'a redirect_uplink'],
  ['a > world 7/0', null, 'a drop_spoofed_vlan'],
  ['a > world 8/0', null, 'a drop_spoofed_vlan'],
  ['a > b -', 'b -', 'b redirect_single'],
  ['b > a -', 'a -', 'a redirect_single'],
  ['a > c -', null, 'a pass_unknown_mac'],
  ['a > t -', 't 7/0', 't redirect_single'],
  ['a > t 0/6', 't 7/6', 't redirect_single'],
  ['c > t -', 't 8/0', 't redirect_single'],
  ['t > a 7/4', 'a -', 'a redirect_single'],
  ['t > a 8/0', null, 't pass_unknown_mac'],
  ['t > c 8/0', 'c -', 'c redirect_single'],
  ['t > world 8/2', 'world 8/2', 't redirect_uplink'],
  ['t > world 9/0', null, 't drop_spoofed_vlan'],
  ['t > world -', null, 't drop_spoofed_vlan'],
];

for (const path of ['software', 'accelerated'] as const) {
  const title = path === 'software' ? 'tap and veth with cut-through' : 'VF ports';
  bedTest(`VLANs, ${title}: tags are put on, taken off and enforced in both directions`, async (t) => {
    const seen = await runOnBed<VlanSeen[]>(t, scenarios, path, ['a', 'b', 'c', 't', 'world']);
    const words = ({ from, to, vlan, priority }: VlanSeen) => `${from} > ${to} ${vlan === null ? '-' : `${vlan}/${priority}`}`;
    t.deepEqual(seen.map(words), CASES.map(([sent]) => sent));
    for (const [i, [sent, arrives, counted]] of CASES.entries()) {
      const { arrived = {}, strange, risen = {} } = seen[i] ?? {};
      const [who = '', how = ''] = arrives?.split(' ') ?? [];
      const end = `${who} ${who === 'world' ? 'wire' : path === 'accelerated' ? 'vf' : 'tap'}`;
      t.deepEqual(arrived, arrives === null ? {} : { [end]: new Array<string>(FRAMES).fill(how) }, sent);
      t.is(strange, 0, `${sent}: changed frames`);
      const reasons = Object.entries(risen).filter(([name]) => / (pass|redirect|drop)_|^error/.test(name));
      t.deepEqual(Object.fromEntries(reasons), { [counted]: FRAMES }, sent);
    }
  });
}
