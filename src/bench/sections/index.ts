/** The sections by name. */
import type { SectionName } from '../model.js';
import type { Section } from '../section.js';
import { cpumap } from './cpumap.js';
import { flows } from './flows.js';
import { headers } from './headers.js';
import { maps } from './maps.js';
import { scrape } from './scrape.js';
import { steering } from './steering.js';
import { taps } from './taps.js';
import { tcp } from './tcp.js';
import { toeplitz } from './toeplitz.js';
import { vnics } from './vnics.js';

export const SECTIONS: Readonly<Record<SectionName, Section>> = { steering, headers, toeplitz, vnics, flows, cpumap, taps, maps, tcp, scrape };
