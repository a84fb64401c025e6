/** The eight published RSS vectors (Microsoft RSS verification suite), read from rss_vectors.json. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ipaddr from 'ipaddr.js';
import { packageRoot } from '../../src/paths.js';

export interface RssVector {
  readonly title: string;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly hash2Tuple: number;
  readonly hash4Tuple: number;
}

interface VectorFile {
  readonly key: string;
  readonly vectors: readonly {
    readonly src: string;
    readonly dst: string;
    readonly sport: number;
    readonly dport: number;
    readonly hash2tuple: string;
    readonly hash4tuple: string;
  }[];
}

const file = JSON.parse(readFileSync(join(packageRoot, 'test', 'support', 'rss_vectors.json'), 'utf8')) as VectorFile;

/** The key that the vectors were computed with, 40 bytes. */
export const rssVectorKey: Uint8Array = Uint8Array.from(Buffer.from(file.key, 'hex'));

export const rssVectors: readonly RssVector[] = file.vectors.map((vector) => ({
  title: `${vector.src}:${vector.sport} -> ${vector.dst}:${vector.dport}`,
  source: Uint8Array.from(ipaddr.parse(vector.src).toByteArray()),
  destination: Uint8Array.from(ipaddr.parse(vector.dst).toByteArray()),
  sourcePort: vector.sport,
  destinationPort: vector.dport,
  hash2Tuple: Number.parseInt(vector.hash2tuple, 16),
  hash4Tuple: Number.parseInt(vector.hash4tuple, 16),
}));
