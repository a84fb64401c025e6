/** Does what veb_plan.ts plans. */
import { addOwnAddress, deleteOwnAddress } from '../host/own_addresses.js';
import { checkInterfaceName } from '../host/names.js';
import { doSteps } from './steps.js';
import { type VebStep, vebStepText } from './veb_plan.js';
import { setOne } from './vf_settings.js';

/** Of a PF's netdev; when one is refused, those before it are undone. @throws AdapterError, CommandError */
export async function doVebSteps(pf: string, steps: readonly VebStep[]): Promise<void> {
  checkInterfaceName(pf);
  const entry = (mac: string, present: boolean): Promise<void> => (present ? addOwnAddress(pf, mac) : deleteOwnAddress(pf, mac));
  await doSteps(steps, {
    undone: 'done',
    describe: (step) => vebStepText(pf, step),
    perform: (step) => (step.kind === 'own-entry' ? entry(step.mac, step.present) : setOne(pf, step.vf, step.setting)),
    undo: (step) => (step.kind === 'own-entry' ? entry(step.mac, !step.present) : setOne(pf, step.vf, step.before)),
  });
}
