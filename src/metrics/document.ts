#!/usr/bin/env node
/** Writes docs/metrics.md: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../paths.js';
import { allFamilies } from './families.js';
import { metricsPage } from './page.js';

writeFileSync(join(packageRoot, 'docs/metrics.md'), metricsPage(allFamilies()));
