#!/usr/bin/env node
/** Writes the dashboards as Grafana reads them: `npm run dashboards`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/paths.js';
import { dashboardFiles } from './dashboards/index.js';

const folder = join(packageRoot, 'grafana/generated');
mkdirSync(folder, { recursive: true });
for (const [name, text] of dashboardFiles()) writeFileSync(join(folder, name), text);
