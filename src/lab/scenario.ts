/**
 * The main job as data: what is done in which order, where g1 must then be, and on which path. Pure.
 *
 * The combinations of paths of the two guests of host a, between which frames flow all the time:
 * both software (1), g1 only on its VF (2), both on VFs (3, 5), g2 only (4).
 */
import type { NotAcceleratedReason, VnicPath } from '../core/model.js';
import type { GuestKind } from './model.js';

export type Change =
  /** The operator's wish, by the control socket of the guest's host. `reaches` false: it is known that it cannot be had. */
  | { readonly kind: 'want'; readonly guest: string; readonly path: VnicPath; readonly reaches: boolean }
  /** Deletes the VF that the guest uses, device and port, as if the card had lost it. */
  | { readonly kind: 'break-vf'; readonly guest: string }
  /** Makes again what break-vf deleted. */
  | { readonly kind: 'restore-vfs'; readonly host: string }
  /** Moves the guest with its connections to another host; it travels on its software path. A machine gives its VF back by itself. */
  | { readonly kind: 'rehome'; readonly guest: string; readonly to: string }
  | { readonly kind: 'kill-daemon'; readonly host: string }
  | { readonly kind: 'start-daemon'; readonly host: string }
  /** Waits until the guest is on this path by whoever's doing. */
  | { readonly kind: 'await-path'; readonly guest: string; readonly path: VnicPath }
  /** Lets the traffic run. */
  | { readonly kind: 'wait'; readonly seconds: number };

export interface Expectation {
  readonly host: string;
  readonly path: VnicPath;
  readonly reason: NotAcceleratedReason;
  /** Paths of other guests. */
  readonly others: Readonly<Record<string, VnicPath>>;
}

/**
 * `planned`: nothing may be lost. `fault`: something breaks unannounced, so what was in flight may be. `migration`: QEMU stops the guest
 * for a moment, so what was sent to it meanwhile may be.
 */
export type StepKind = 'planned' | 'fault' | 'migration';

export interface ScenarioStep {
  readonly name: string;
  readonly title: string;
  readonly kind: StepKind;
  readonly changes: readonly Change[];
  /** At the end of the step. */
  readonly expect: Expectation;
}

/** The guest whose travels the scenario is about. */
export const SUBJECT = 'g1';
/** Shares host a with it at the start. */
export const NEIGHBOUR = 'g2';

/** How long traffic runs after the changes of a step, and while a daemon is dead. */
export interface Pace {
  readonly holdSeconds: number;
  readonly deadSeconds: number;
}

export const FULL_PACE: Pace = { holdSeconds: 4.5, deadSeconds: 2 };
export const QUICK_PACE: Pace = { holdSeconds: 1.2, deadSeconds: 0.8 };

const want = (guest: string, path: VnicPath, reaches = true): Change => ({ kind: 'want', guest, path, reaches });

const at = (host: string, path: VnicPath, reason: NotAcceleratedReason, neighbour: VnicPath): Expectation => ({
  host,
  path,
  reason,
  others: { [NEIGHBOUR]: neighbour },
});

/** What happens to the guest on its first host. */
function stepsOnHostA(pace: Pace): ScenarioStep[] {
  return [
    {
      name: 'software',
      title: 'software path',
      kind: 'planned',
      changes: [],
      expect: at('a', 'software', 'policy_software', 'software'),
    },
    {
      name: 'plug',
      title: 'VF plugged',
      kind: 'planned',
      changes: [want(SUBJECT, 'accelerated')],
      expect: at('a', 'accelerated', 'none', 'software'),
    },
    {
      name: 'plug-neighbour',
      title: 'neighbour g2 gets a VF too',
      kind: 'planned',
      changes: [want(NEIGHBOUR, 'accelerated')],
      expect: at('a', 'accelerated', 'none', 'accelerated'),
    },
    {
      name: 'unplug',
      title: 'VF unplugged',
      kind: 'planned',
      changes: [want(SUBJECT, 'software')],
      expect: at('a', 'software', 'operator_software', 'accelerated'),
    },
    {
      name: 'plug-again',
      title: 'VF plugged again',
      kind: 'planned',
      changes: [want(SUBJECT, 'accelerated')],
      expect: at('a', 'accelerated', 'none', 'accelerated'),
    },
    {
      name: 'vf-dies',
      title: 'the VF dies without notice',
      kind: 'fault',
      changes: [
        { kind: 'break-vf', guest: SUBJECT },
        { kind: 'await-path', guest: SUBJECT, path: 'accelerated' },
      ],
      expect: at('a', 'accelerated', 'none', 'accelerated'),
    },
    {
      name: 'daemon-killed',
      title: 'unipathd of host a killed and restarted',
      kind: 'planned',
      changes: [
        { kind: 'restore-vfs', host: 'a' },
        { kind: 'kill-daemon', host: 'a' },
        { kind: 'wait', seconds: pace.deadSeconds },
        { kind: 'start-daemon', host: 'a' },
      ],
      expect: at('a', 'accelerated', 'none', 'accelerated'),
    },
  ];
}

/** The scenario of the main job, on the default lab. */
export function mainScenario(pace: Pace): ScenarioStep[] {
  return [
    ...stepsOnHostA(pace),
    {
      name: 'rehome-b',
      title: 're-homed live to host b',
      kind: 'planned',
      changes: [want(SUBJECT, 'software'), { kind: 'rehome', guest: SUBJECT, to: 'b' }],
      expect: at('b', 'software', 'policy_software', 'accelerated'),
    },
    {
      name: 'plug-b',
      title: 'VF of host b plugged (other make)',
      kind: 'planned',
      changes: [want(SUBJECT, 'accelerated')],
      expect: at('b', 'accelerated', 'none', 'accelerated'),
    },
    {
      name: 'rehome-c',
      title: 're-homed to host c, which has no VFs',
      kind: 'planned',
      changes: [want(SUBJECT, 'software'), { kind: 'rehome', guest: SUBJECT, to: 'c' }, want(SUBJECT, 'accelerated', false)],
      expect: at('c', 'software', 'adapter_without_vfs', 'accelerated'),
    },
    {
      name: 'rehome-a',
      title: 'back on host a, accelerated',
      kind: 'planned',
      changes: [{ kind: 'rehome', guest: SUBJECT, to: 'a' }, want(SUBJECT, 'accelerated')],
      expect: at('a', 'accelerated', 'none', 'accelerated'),
    },
  ];
}

/** The same on real guests: they travel by live migration, and give their VFs back for it. Host d has a third make of VF. */
export function machineScenario(pace: Pace): ScenarioStep[] {
  const migrate = (to: string): Change => ({ kind: 'rehome', guest: SUBJECT, to });
  return [
    ...stepsOnHostA(pace),
    {
      name: 'migrate-b',
      title: 'migrated live to host b',
      kind: 'migration',
      changes: [migrate('b')],
      expect: at('b', 'software', 'policy_software', 'accelerated'),
    },
    {
      name: 'plug-b',
      title: 'VF of host b plugged (e1000e)',
      kind: 'planned',
      changes: [want(SUBJECT, 'accelerated')],
      expect: at('b', 'accelerated', 'none', 'accelerated'),
    },
    {
      name: 'migrate-c',
      title: 'migrated to host c, which has no VFs',
      kind: 'migration',
      changes: [migrate('c'), want(SUBJECT, 'accelerated', false)],
      expect: at('c', 'software', 'adapter_without_vfs', 'accelerated'),
    },
    {
      name: 'migrate-d',
      title: 'migrated live to host d',
      kind: 'migration',
      changes: [migrate('d')],
      expect: at('d', 'software', 'policy_software', 'accelerated'),
    },
    {
      name: 'plug-d',
      title: 'VF of host d plugged (rtl8139)',
      kind: 'planned',
      changes: [want(SUBJECT, 'accelerated')],
      expect: at('d', 'accelerated', 'none', 'accelerated'),
    },
    {
      name: 'migrate-a',
      title: 'back on host a, accelerated',
      kind: 'migration',
      changes: [migrate('a'), want(SUBJECT, 'accelerated')],
      expect: at('a', 'accelerated', 'none', 'accelerated'),
    },
  ];
}

export const scenarioFor = (kind: GuestKind, pace: Pace): ScenarioStep[] => (kind === 'qemu' ? machineScenario(pace) : mainScenario(pace));

/** Where a guest must be after each change of the scenario, to check the scenario itself. */
export function homesAfter(steps: readonly ScenarioStep[], guest: string, start: string): string[] {
  let home = start;
  return steps.map((step) => {
    for (const change of step.changes) if (change.kind === 'rehome' && change.guest === guest) home = change.to;
    return home;
  });
}
