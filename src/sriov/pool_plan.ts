/** What has to be done for a PF to have so many VFs with such a driver, and to have again what it had before. Pure. */
import type { EswitchMode } from '../host/devlink.js';
import { AdapterError } from './error.js';
import { modeProblem } from './eswitch.js';
import { valueOf } from './fact.js';
import type { PfFacts, VfFacts } from './facts.js';
import { pfName } from './pf_name.js';
import type { PciAddress } from './pci.js';
import { planVf, type VfWish, wishFor } from './vf_plan.js';

export const VFIO_DRIVER = 'vfio-pci';

/** `vfio-pci`: for virtual machines; `kernel`: that of the VF itself, for guests that are network namespaces. */
export type VfDriver = typeof VFIO_DRIVER | 'kernel';

export interface PoolWish {
  readonly vfs: number;
  readonly driver: VfDriver;
  /** Of the adapter's switch; left out: as it is. */
  readonly eswitch?: EswitchMode | undefined;
}

/** Somebody who uses a VF. */
export interface Holder {
  readonly vf: number;
  readonly pci: PciAddress;
  /** In words: "process 4711 (qemu-system-x86)". */
  readonly by: string;
}

/** A VF's driver and what was asked for before its own; null: none. */
export interface VfBinding {
  readonly driver: string | null;
  readonly override: string | null;
}

/** How a PF was before unipath changed it, and what it was made. Kept in the state folder until it is put back. */
export interface PoolNote {
  readonly pci: PciAddress;
  readonly before: {
    readonly vfs: number;
    readonly autoprobe: boolean;
    readonly bindings: readonly VfBinding[];
    readonly settings: readonly (VfWish | null)[];
    /** Left out: it was not changed. */
    readonly eswitch?: EswitchMode | undefined;
  };
  readonly made: PoolWish;
}

export type PoolStep =
  | { readonly kind: 'load-vfio' }
  | { readonly kind: 'set-autoprobe'; readonly on: boolean; readonly before: boolean }
  | { readonly kind: 'set-vfs'; readonly count: number; readonly before: number }
  /** While there are VFs, some drivers refuse it. */
  | { readonly kind: 'set-eswitch'; readonly mode: EswitchMode; readonly before: EswitchMode }
  /** As the PF's driver is to treat the VF. */
  | { readonly kind: 'configure'; readonly vf: number; readonly wish: VfWish }
  | BindStep;

/** VF by number. */
export interface BindStep {
  readonly kind: 'bind';
  readonly vf: number;
  readonly to: BindTarget;
  readonly before: VfBinding;
}

/** `own`: whatever driver of the host wants the VF. `override`: what is asked for afterwards. */
export type BindTarget =
  | { readonly kind: 'own' }
  | { readonly kind: 'driver'; readonly driver: string; readonly override: string | null }
  | { readonly kind: 'none'; readonly override: string | null };

export interface PoolPlan {
  readonly steps: readonly PoolStep[];
  /** What traffic feels of it, a sentence each. */
  readonly effects: readonly string[];
}

export function targetOf({ driver, override }: VfBinding): BindTarget {
  if (driver === null) return { kind: 'none', override };
  return override === null && driver !== VFIO_DRIVER ? { kind: 'own' } : { kind: 'driver', driver, override };
}

const bindingOf = (vf: VfFacts): VfBinding => ({ driver: valueOf(vf.driver), override: vf.driverOverride });

/** @param settings how VFs were before unipath set them, by number, where it did; null: as they are */
export const noteOf = (pf: PfFacts, made: PoolWish, settings: (index: number) => VfWish | null = () => null): PoolNote => ({
  pci: pf.pci,
  before: {
    vfs: pf.sriov.enabled,
    autoprobe: pf.sriov.autoprobe,
    bindings: pf.vfs.map(bindingOf),
    settings: pf.vfs.map(({ index, configuration }) => settings(index) ?? (configuration.answer === 'yes' ? wishFor(configuration.value) : null)),
    ...(made.eswitch === undefined || pf.eswitch.answer !== 'yes' ? {} : { eswitch: pf.eswitch.value }),
  },
  made,
});

const RESET_EFFECT = (name: string): string => `${name}: many drivers reset the PF when the number of its VFs changes: its link may be down for seconds`;
const GONE_EFFECT = (name: string, vfs: number): string => `${name}: all ${vfs} VFs go; their netdevs, settings and addresses with them`;

/** igb and other Intel drivers rebuild their queues then: 4.7 s of darkness for every VF were measured with igb. */
const XDP_EFFECT = (name: string): string => `${name}: no XDP program is attached yet, and the first may reset it and darken its VFs: start unipathd before VFs are given away`;
const DRIVER_EFFECT = (name: string, vfs: number): string => `${name}: VFs that change their driver: ${vfs}; what they carry stops`;

/** A note of before, when more is changed now: what was noted stays, and what was not touched before is noted as it is. */
export function noteAgain(known: PoolNote, pf: PfFacts, made: PoolWish): PoolNote {
  const { eswitch } = noteOf(pf, made).before;
  return { ...known, made, before: known.before.eswitch === undefined && eswitch !== undefined ? { ...known.before, eswitch } : known.before };
}

/** What is not as unipath made it, in words; null: all is. After a reboot nothing is. */
export function driftOf(pf: PfFacts, { made }: PoolNote): string | null {
  const mode = valueOf(pf.eswitch);
  if (made.eswitch !== undefined && mode !== null && mode !== made.eswitch) return `unipath put its switch into ${made.eswitch} mode, and it is in ${mode} mode`;
  if (pf.sriov.enabled !== made.vfs) return `unipath made ${made.vfs} VFs, and there are ${pf.sriov.enabled}`;
  const strange = pf.vfs.filter((vf) => bindStep(vf.index, bindingOf(vf), made.driver).length > 0).map(({ index }) => index);
  if (strange.length === 0) return null;
  return `unipath bound all VFs to ${made.driver === 'kernel' ? 'their own driver' : made.driver}, and these are not: ${strange.join(', ')}`;
}

/** @throws AdapterError naming who uses which VF */
function refuseHeld(pf: PfFacts, holders: readonly Holder[], what: string): void {
  if (holders.length === 0) return;
  const list = holders.map(({ vf, pci, by }) => `VF ${vf} (${pci}) by ${by}`).join('; ');
  throw new AdapterError(`${pfName(pf)}: ${what} would take away VFs that are in use: ${list}`, 'end that use first: unplug the VF, stop the guest, or set the netdev down');
}

function checkWish(pf: PfFacts, wish: PoolWish): void {
  const name = pfName(pf);
  if (pf.driver.answer !== 'yes') throw new AdapterError(`${name}: ${pf.driver.why}`, 'load the driver of the PF first');
  if (wish.vfs < 1) throw new AdapterError(`${name}: ${wish.vfs} VFs are none`, `to have none: unipath adapter reset ${name}`);
  if (wish.vfs > pf.sriov.total) throw new AdapterError(`${name} can have at most ${pf.sriov.total} VFs, not ${wish.vfs}`);
  const problem = wish.eswitch === undefined ? null : modeProblem(valueOf(pf.driver), wish.eswitch);
  if (problem !== null) throw new AdapterError(`${name}: its switch cannot be put into ${wish.eswitch} mode: ${problem}`);
  if (wish.driver === VFIO_DRIVER && pf.iommuGroup.answer === 'no') throw new AdapterError(`${name}: no VF can be given to a virtual machine: ${pf.iommuGroup.why}`);
}

/** null: it has this mode, or nobody minds. @throws AdapterError when it is not known which it has */
function modeStep(pf: PfFacts, mode: EswitchMode | undefined): (PoolStep & { kind: 'set-eswitch' }) | null {
  if (mode === undefined) return null;
  if (pf.eswitch.answer !== 'yes') throw new AdapterError(`${pfName(pf)}: in which mode its switch is cannot be told: ${pf.eswitch.why}`);
  return pf.eswitch.value === mode ? null : { kind: 'set-eswitch', mode, before: pf.eswitch.value };
}

const MODE_EFFECTS = (name: string, mode: EswitchMode): string[] => [
  `${name}: its switch goes into ${mode} mode: the driver sets its queues up anew, and its link may be down for seconds`,
  mode === 'switchdev'
    ? `${name}: it then switches nothing by itself: a VF reaches whom its representor is connected to, and nobody else`
    : `${name}: it then switches by MAC address and VLAN itself, and the representors of its VFs are gone`,
];

const countSteps = (before: number, count: number): PoolStep[] => {
  if (before === count) return [];
  // The kernel changes the number only from and to none.
  const away: PoolStep[] = before === 0 ? [] : [{ kind: 'set-vfs', count: 0, before }];
  return count === 0 ? away : [...away, { kind: 'set-vfs', count, before: 0 }];
};

/** New VFs have no driver while none is bound to them by itself. */
const NEW_VF: VfBinding = { driver: null, override: null };

function bindStep(vf: number, before: VfBinding, driver: VfDriver): BindStep[] {
  if (driver === VFIO_DRIVER) {
    if (before.driver === VFIO_DRIVER) return [];
    return [{ kind: 'bind', vf, to: { kind: 'driver', driver: VFIO_DRIVER, override: VFIO_DRIVER }, before }];
  }
  if (before.driver !== null && before.driver !== VFIO_DRIVER) return [];
  return [{ kind: 'bind', vf, to: { kind: 'own' }, before }];
}

/** @param vfioLoaded is the driver vfio-pci there already? @throws AdapterError */
export function planSetup(pf: PfFacts, holders: readonly Holder[], wish: PoolWish, vfioLoaded: boolean): PoolPlan {
  checkWish(pf, wish);
  const name = pfName(pf);
  const { enabled, autoprobe } = pf.sriov;
  const load: PoolStep[] = wish.driver === VFIO_DRIVER && !vfioLoaded ? [{ kind: 'load-vfio' }] : [];
  // So that no driver of the host takes the VFs, whose netdevs others would find.
  const wanted = wish.driver === 'kernel';
  const probe = probeStep(autoprobe, wanted);
  const change = modeStep(pf, wish.eswitch);
  const count = change === null ? countSteps(enabled, wish.vfs) : [...countSteps(enabled, 0), change, ...countSteps(0, wish.vfs)];
  if (count.length === 0) {
    const binds = pf.vfs.flatMap((vf) => bindStep(vf.index, bindingOf(vf), wish.driver));
    const touched = new Set(binds.map(({ vf }) => vf));
    refuseHeld(pf, holders.filter(({ vf }) => touched.has(vf)), 'another driver');
    const effects = touched.size === 0 ? [] : [DRIVER_EFFECT(name, touched.size)];
    return { steps: [...load, ...probe, ...binds], effects };
  }
  if (enabled > 0) refuseHeld(pf, holders, `${wish.vfs} VFs in place of ${enabled}`);
  const indices = Array.from({ length: wish.vfs }, (_, index) => index);
  const binds = wish.driver === VFIO_DRIVER ? indices.flatMap((index) => bindStep(index, NEW_VF, wish.driver)) : [];
  const withoutXdp = valueOf(pf.nic)?.xdp === null;
  const effects = [
    ...[RESET_EFFECT(name), ...(change === null ? [] : MODE_EFFECTS(name, change.mode))],
    ...[...(enabled > 0 ? [GONE_EFFECT(name, enabled)] : []), ...(withoutXdp ? [XDP_EFFECT(name)] : [])],
  ];
  return { steps: [...load, ...probe, ...count, ...binds], effects };
}

/** The way back to what the note says was before. @throws AdapterError */
export function planReset(pf: PfFacts, holders: readonly Holder[], note: PoolNote): PoolPlan {
  const name = pfName(pf);
  const { enabled, autoprobe } = pf.sriov;
  const { before, made } = note;
  // After a reboot there are none, whatever was made.
  if (enabled !== made.vfs && enabled !== before.vfs && enabled !== 0) {
    throw new AdapterError(
      `${name} has ${enabled} VFs: unipath made ${made.vfs} of ${before.vfs}, and somebody else has changed that since`,
      'set the number back to what unipath made, or remove the note yourself',
    );
  }
  const change = modeStep(pf, before.eswitch);
  const count = change === null ? countSteps(enabled, before.vfs) : [...countSteps(enabled, 0), change, ...countSteps(0, before.vfs)];
  if (count.length > 0) {
    if (enabled > 0) refuseHeld(pf, holders, 'the reset');
    const effects = [RESET_EFFECT(name), ...(change === null ? [] : MODE_EFFECTS(name, change.mode)), ...(enabled > 0 ? [GONE_EFFECT(name, enabled)] : [])];
    // New VFs come without driver, whatever theirs was.
    const binds = before.bindings.flatMap((binding, vf) => backStep(vf, NEW_VF, binding));
    if (before.vfs === 0) return { steps: [...count, ...probeStep(autoprobe, before.autoprobe)], effects };
    // A VF's driver looks at its MAC address once, when it is bound.
    const configure = before.settings.flatMap((wish, vf): PoolStep[] => (wish === null ? [] : [{ kind: 'configure', vf, wish }]));
    const steps = [...probeStep(autoprobe, false), ...count, ...configure, ...bindAll(binds, false, before.autoprobe)];
    return { steps, effects };
  }
  const configure = before.settings.flatMap((wish, vf): PoolStep[] =>
    wish === null || planVf(pf, vf, wish).changes.length === 0 ? [] : [{ kind: 'configure', vf, wish }],
  );
  const binds = pf.vfs.flatMap((vf) => {
    const binding = before.bindings[vf.index];
    return binding === undefined ? [] : backStep(vf.index, bindingOf(vf), binding);
  });
  const touched = new Set(binds.map(({ vf }) => vf));
  refuseHeld(pf, holders.filter(({ vf }) => touched.has(vf)), 'the reset');
  const effects = touched.size === 0 ? [] : [DRIVER_EFFECT(name, touched.size)];
  return { steps: [...configure, ...bindAll(binds, autoprobe, before.autoprobe)], effects };
}

const probeStep = (now: boolean, on: boolean): PoolStep[] => (now === on ? [] : [{ kind: 'set-autoprobe', on, before: now }]);

/** A VF's own driver takes it only while drivers are bound by themselves (pci_device_can_probe() of the kernel). */
function bindAll(binds: readonly BindStep[], now: boolean, after: boolean): PoolStep[] {
  const during = binds.some(({ to }) => to.kind === 'own') || now;
  return [...probeStep(now, during), ...binds, ...probeStep(during, after)];
}

function backStep(vf: number, now: VfBinding, wanted: VfBinding): BindStep[] {
  if (now.driver === wanted.driver && now.override === wanted.override) return [];
  return [{ kind: 'bind', vf, to: targetOf(wanted), before: now }];
}

/** One line for a step. */
export function stepText(pf: string, step: PoolStep): string {
  switch (step.kind) {
    case 'load-vfio':
      return `load the kernel module ${VFIO_DRIVER}`;
    case 'set-autoprobe':
      return `${pf}: ${step.on ? 'bind drivers to VFs that appear' : 'bind no driver to VFs that appear'}`;
    case 'set-vfs':
      return step.count === 0 ? `${pf}: take all ${step.before} VFs away` : `${pf}: create ${step.count} VFs`;
    case 'set-eswitch':
      return `${pf}: put its switch into ${step.mode} mode`;
    case 'configure':
      return `${pf}: set VF ${step.vf} as it was`;
    case 'bind':
      return `${pf}: ${step.to.kind === 'none' ? `unbind VF ${step.vf}` : `bind VF ${step.vf} to ${step.to.kind === 'own' ? 'its own driver' : step.to.driver}`}`;
    default:
      return step satisfies never;
  }
}
