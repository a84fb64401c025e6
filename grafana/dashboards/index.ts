/** All dashboards, as the files that Grafana is given. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dataPlane } from './data_plane.js';
import { fleet } from './fleet.js';
import { host } from './host.js';
import { migration } from './migration.js';
import { vnic } from './vnic.js';

export const dashboards: Readonly<Record<string, Dashboard>> = { fleet, host, vnic, migration, data_plane: dataPlane };

/** File name -> its text. */
export function dashboardFiles(): Map<string, string> {
  return new Map(Object.entries(dashboards).map(([name, dashboard]) => [`${name}.json`, `${JSON.stringify(dashboard, null, 2)}\n`]));
}
