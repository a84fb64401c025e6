import test from 'ava';
import { Recall } from '../../../src/reconcile/recall.js';

function counting(): { recall: Recall; ask: (value: boolean) => Promise<boolean>; asked: () => number; pass: (ms: number) => void } {
  let [nowMs, asked] = [0, 0];
  const recall = new Recall(1000, () => nowMs);
  const ask = (value: boolean): Promise<boolean> =>
    recall.ask(
      'q',
      () => Promise.resolve((asked++, value)),
      (answer) => answer,
    );
  return { recall, ask, asked: () => asked, pass: (ms) => void (nowMs += ms) };
}

test('a good answer is kept until it is old', async (t) => {
  const { ask, asked, pass } = counting();
  await ask(true);
  pass(999);
  t.true(await ask(false));
  t.is(asked(), 1);
  pass(1);
  t.false(await ask(false));
  t.is(asked(), 2);
});

test('what is waited for is asked every time', async (t) => {
  const { ask, asked } = counting();
  await ask(false);
  await ask(false);
  t.is(asked(), 2);
});

test('everything is forgotten when something is changed', async (t) => {
  const { recall, ask } = counting();
  await ask(true);
  recall.forget();
  t.false(await ask(false));
});

test('an answer that was under way during a change is not kept', async (t) => {
  const { recall, ask } = counting();
  const late = ask(true);
  recall.forget();
  await late;
  t.false(await ask(false));
});
