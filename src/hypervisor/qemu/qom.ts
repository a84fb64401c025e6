/**
 * Looks into QEMU's tree of objects, where something may be missing at any time. Source: QEMU's qapi/qom.json.
 *
 * Every function throws MonitorLostError, and QmpShapeError for an answer that makes no sense; what QEMU refuses is undefined
 * or null: the object, property or command is not there.
 */
import { z } from 'zod';
import { parseAnswer, QOM_LIST } from './machine.js';
import { type QemuMonitor, QmpError } from './monitor.js';

/** Where devices with an id are, each under its id. */
export const PERIPHERAL = '/machine/peripheral';

export const devicePath = (id: string): string => `${PERIPHERAL}/${id}`;

/** undefined where QEMU refuses. */
export async function optional(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof QmpError) return undefined;
    throw error;
  }
}

/** Names and types of an object's properties, its children included; null when there is no such object. */
export async function listProperties(monitor: QemuMonitor, path: string): Promise<ReadonlyMap<string, string> | null> {
  const answer = await optional(monitor.execute('qom-list', { path }));
  if (answer === undefined) return null;
  return new Map(parseAnswer('qom-list', QOM_LIST, answer).map((property) => [property.name, property.type]));
}

/** undefined when there is no such property, or object. */
export function getProperty(monitor: QemuMonitor, path: string, property: string): Promise<unknown> {
  return optional(monitor.execute('qom-get', { path, property }));
}

/** "e1000e" of "child<e1000e>"; null when the type is no child's. */
export function childType(type: string): string | null {
  return /^child<(.+)>$/.exec(type)?.[1] ?? null;
}

/** Names of the device models that are made from `ancestor`, "pci-device" say. @throws QmpError */
export async function listModels(monitor: QemuMonitor, ancestor: string): Promise<string[]> {
  const answer = await monitor.execute('qom-list-types', { implements: ancestor, abstract: false });
  return parseAnswer('qom-list-types', z.array(z.object({ name: z.string() })), answer).map((type) => type.name);
}

/** The model of the device with this id; null when the guest has none. One that is on its way out still counts. */
export async function modelOfDevice(monitor: QemuMonitor, id: string): Promise<string | null> {
  const devices = parseAnswer('qom-list', QOM_LIST, await monitor.execute('qom-list', { path: PERIPHERAL }));
  return childType(devices.find((device) => device.name === id)?.type ?? '');
}

/** Does the guest hold the device with this id? One that is on its way out still counts. @throws QmpError */
export async function holdsDevice(monitor: QemuMonitor, id: string): Promise<boolean> {
  return (await modelOfDevice(monitor, id)) !== null;
}
