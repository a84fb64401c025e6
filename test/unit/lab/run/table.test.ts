import test from 'ava';
import { progressOn, stepLine } from '../../../../src/lab/run/progress.js';
import { columns, resultTable } from '../../../../src/lab/run/table.js';
import { madeUpResults } from '../../../support/made_up_results.js';

test('columns are as wide as their widest cell', (t) => {
  t.deepEqual(
    columns(
      [
        ['a', '1'],
        ['bbb', '22'],
      ],
      1,
    ),
    ['a     1', 'bbb  22'],
  );
});

test('the table has a line for each step and says how it ended', (t) => {
  const results = madeUpResults();
  const table = resultTable(results, 'g1');
  for (const step of results.steps) t.true(table.includes(step.title), step.title);
  t.regex(table, /the VF dies without notice: 3 frames lost of at most 200 in flight/);
  t.regex(table, /vf 53\/47\/x\/x/);
  t.regex(table, /\npassed\n$/);
});

test('a run that failed says what and why', (t) => {
  const table = resultTable(madeUpResults({ failure: '7 frames lost, none may be' }), 'g1');
  t.regex(table, /^FAIL {2}3 VF unplugged/m);
  t.regex(table, /\nFAILED\n {2}VF unplugged: 7 frames lost, none may be\n$/);
});

test('without a terminal there are plain lines and nothing moves', (t) => {
  const written: string[] = [];
  const progress = progressOn({ write: (text) => written.push(text) });
  progress.doing('this and that');
  const [step] = madeUpResults().steps;
  if (step === undefined) throw new Error('the made-up results have changed');
  progress.step(0, 10, { ...step, failures: ['no traffic flowed'] });
  progress.end();
  t.deepEqual(written, [`${stepLine(0, 10, { ...step, failures: ['no traffic flowed'] })}\n`, '          no traffic flowed\n']);
  t.regex(written[0] ?? '', /^FAIL {2}1\/10 software path: a software \(policy_software\); 30,000 sent, 0 lost/);
});
