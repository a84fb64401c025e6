import test from 'ava';
import { run } from '../../support/cli.js';
import { fakeDaemon } from '../../support/control_socket.js';

test('explain: every condition in order, and what would change those that do not hold', async (t) => {
  const { socket } = await fakeDaemon(t);
  t.deepEqual(await run(`-S ${socket} explain g2`), {
    code: 0,
    out: `g2 is on the software path, wanted on the accelerated one: accelerated

CONDITION  HOLDS  WHAT WAS SEEN
wanted     yes    the configuration wants the accelerated path
vf_pool    no     0 of 2 VFs of nic0 are free
path       -      needs a VF

vf_pool: every VF is in use
`,
    err: '',
  });
});

test('explain -j: the conditions under the path and its reason', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const { code, out } = await run(`-S ${socket} -j explain g2`);
  t.is(code, 0);
  t.deepEqual(JSON.parse(out), {
    ...{ schema: 1, vnic: 'g2', path: 'software', want: 'accelerated', reason: 'no_free_vf', reason_text: 'accelerated' },
    conditions: controller.conditions,
  });
});

test('explain: as wanted; a name that does not exist', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  controller.conditions = controller.conditions.slice(0, 1);
  const { out } = await run(`-S ${socket} explain g1`);
  t.regex(out, /^g1 is on the accelerated path, as wanted: /);
  t.true(out.endsWith('wanted     yes    the configuration wants the accelerated path\n'));
  t.deepEqual(await run(`-S ${socket} explain g11`), { code: 1, out: '', err: 'unipath: there is no vNIC "g11"\n  did you mean "g1"?\n' });
  t.is((await run('explain')).code, 2);
});
