import test from 'ava';
import fc from 'fast-check';
import { parseDomainEvent, parseMonitorEvent } from '../../../../src/hypervisor/libvirt/event_lines.js';

const AT = '2026-11-25 23:14:52.713+0000: ';
const timeMs = Date.UTC(2026, 10, 25, 23, 14, 52, 713);

test('events of libvirt 9.0, as virsh writes them', (t) => {
  const base = { timeMs, domain: 'web' };
  const lines: readonly (readonly [string, unknown])[] = [
    ["event 'lifecycle' for domain 'web': Started Migrated", { ...base, kind: 'lifecycle', event: 'Started', detail: 'Migrated' }],
    [
      "event 'lifecycle' for domain 'web': Shutdown Finished after host request",
      { ...base, kind: 'lifecycle', event: 'Shutdown', detail: 'Finished after host request' },
    ],
    ["event 'device-added' for domain 'web': ua-vf0", { ...base, kind: 'device-added', alias: 'ua-vf0' }],
    ["event 'device-removed' for domain 'web': ua-vf0", { ...base, kind: 'device-removed', alias: 'ua-vf0' }],
    ["event 'device-removal-failed' for domain 'web': ua-vf0", { ...base, kind: 'device-removal-failed', alias: 'ua-vf0' }],
    ["event 'migration-iteration' for domain 'web': iteration: '3'", { ...base, kind: 'migration-iteration', iteration: 3 }],
    [
      "event 'agent-lifecycle' for domain 'web': state: 'connected' reason: 'channel event'",
      { ...base, kind: 'agent-lifecycle', state: 'connected', reason: 'channel event' },
    ],
    ["event 'reboot' for domain 'web'", { ...base, kind: 'other', name: 'reboot', details: '' }],
    ["event 'rtc-change' for domain 'web': 3600", { ...base, kind: 'other', name: 'rtc-change', details: '3600' }],
    ["event 'job-completed' for domain 'web':", null],
    ["event 'job-completed' for domain 'web': ", { ...base, kind: 'other', name: 'job-completed', details: '' }],
  ];
  for (const [line, event] of lines) t.deepEqual(parseDomainEvent(AT + line) as unknown, event, line);
});

test('lines that are no events are none', (t) => {
  for (const line of ['', '\toperation: 5', 'events received: 12', 'error: Disconnected', `${AT}event 'lifecycle' for domain 'web`]) {
    t.is(parseDomainEvent(line), null, line);
    t.is(parseMonitorEvent(line), null, line);
  }
});

test('a lifecycle event that lacks a word is not taken for one', (t) => {
  t.like(parseDomainEvent(`${AT}event 'lifecycle' for domain 'web': Started`), { kind: 'other' });
});

test('the time of another zone is the same time', (t) => {
  t.is(parseDomainEvent("2026-11-26 01:14:52.713+0200: event 'reboot' for domain 'x'")?.timeMs, timeMs);
});

test('events of QEMU have its own time, and its data', (t) => {
  t.deepEqual(
    parseMonitorEvent(`event DEVICE_DELETED at 1795648538.909917 for domain 'web': {"device":"ua-vf0","path":"/machine/peripheral/ua-vf0"}`),
    {
      domain: 'web',
      event: { name: 'DEVICE_DELETED', data: { device: 'ua-vf0', path: '/machine/peripheral/ua-vf0' }, timeMs: 1795648538909.917 },
    },
  );
  t.deepEqual(parseMonitorEvent("event STOP at 1795648586.000001 for domain 'web': <null>")?.event, {
    name: 'STOP',
    data: {},
    timeMs: 1795648586000.001,
  });
  t.is(parseMonitorEvent(`event X at 1.000000 for domain 'web': {"broken`), null);
  t.is(parseMonitorEvent(`event X at 1.000000 for domain 'web': [1]`), null);
});

const domainName = fc.oneof(fc.string({ minLength: 1 }), fc.stringMatching(/^[a':{} "]{1,20}$/)).filter((name) => !/[\r\n\u2028\u2029]/.test(name));

test('a domain may have any name', (t) => {
  fc.assert(
    fc.property(domainName, (domain) => {
      const event = parseDomainEvent(`${AT}event 'device-removed' for domain '${domain}': ua-vf0`);
      return event?.domain === domain && event.kind === 'device-removed' && event.alias === 'ua-vf0';
    }),
  );
  fc.assert(
    fc.property(
      domainName.filter((name) => !/': *[{[<"\d]/.test(name)),
      fc.dictionary(fc.string(), fc.string()),
      (domain, data) => {
        const heard = parseMonitorEvent(`event X at 5.000000 for domain '${domain}': ${JSON.stringify(data)}`);
        return heard?.domain === domain && JSON.stringify(heard.event.data) === JSON.stringify(data);
      },
    ),
  );
  t.pass();
});
