import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { ServiceNotifier, watchdogIntervalMs } from '../../../src/service/notifier.js';

function notifier(t: ExecutionContext, environment: NodeJS.ProcessEnv = {}) {
  const [told, warnings]: [string[], string[]] = [[], []];
  const service = new ServiceNotifier({ environment, send: (state) => void told.push(state.split('\n')[0] ?? ''), warn: (message) => void warnings.push(message) });
  t.teardown(() => service.stopping());
  return { service, told, warnings };
}

test('the watchdog is told twice in its time, unless it watches somebody else', (t) => {
  t.is(watchdogIntervalMs({ WATCHDOG_USEC: '30000000' }, 7), 15_000);
  t.is(watchdogIntervalMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), 15_000);
  t.is(watchdogIntervalMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), null);
  for (const limit of [undefined, '', '0', 'soon']) t.is(watchdogIntervalMs({ WATCHDOG_USEC: limit }, 7), null);
});

test('ready once, alive from then on, and no more when it ends', async (t) => {
  const { service, told } = notifier(t, { WATCHDOG_USEC: '4000' });
  await sleep(20);
  t.deepEqual(told, []);
  service.ready();
  while (told.filter((state) => state === 'WATCHDOG=1').length < 3) await sleep(1);
  t.is(told[0], 'READY=1');
  service.stopping();
  const before = told.length;
  await sleep(20);
  t.is(told.length, before);
  t.is(told.at(-1), 'STOPPING=1');
});

test('a reload is told between ready and stopping only', (t) => {
  const { service, told } = notifier(t);
  const reload = (): void => {
    service.reloading();
    service.reloaded();
  };
  reload();
  service.ready();
  reload();
  service.stopping();
  reload();
  t.deepEqual(told, ['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
});

test('what cannot be told does not stop the daemon', (t) => {
  const warnings: string[] = [];
  const service = new ServiceNotifier({
    environment: {},
    send: () => {
      throw new Error('the socket is gone');
    },
    warn: (message) => void warnings.push(message),
  });
  service.ready();
  t.deepEqual(warnings, ['the socket is gone']);
});
