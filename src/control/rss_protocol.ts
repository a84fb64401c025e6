/** What the control socket says and takes about RSS; see protocol.ts for the routes. */
import type { SettingSource } from '../core/rss_wish.js';

export interface QueueShare {
  readonly queue: number;
  /** Of the indirection table. */
  readonly buckets: number;
  readonly percent: number;
  /** The CPU that sends to this queue; null: none reaches it. */
  readonly cpu: number | null;
}

export interface RssPort {
  readonly role: 'tap' | 'vf';
  readonly device: string;
  readonly queues: number;
  /** Bucket -> queue. */
  readonly reta: readonly number[];
  readonly shares: readonly QueueShare[];
  readonly unreachable: readonly number[];
}

export interface RssVnic {
  readonly name: string;
  /** In hexadecimal digits. */
  readonly key: string;
  readonly key_source: SettingSource;
  readonly hash_types: readonly string[];
  readonly hash_types_source: SettingSource;
  /** One per queue, 0 beyond their end; null: equal shares. */
  readonly weights: readonly number[] | null;
  readonly weights_source: SettingSource;
  /** What cannot be done of what is asked for, one sentence each. */
  readonly problems: readonly string[];
  readonly ports: readonly RssPort[];
}

export interface RssStatus {
  /** The key in force for all vNICs that have none of their own, in hexadecimal digits. */
  readonly key: string;
  readonly key_source: SettingSource;
  /** Was it drawn at random? */
  readonly key_random: boolean;
  /** Why the key is not the one that the configuration asks for; null: it is. */
  readonly key_problem: string | null;
  /** Of the vNICs that have no setting of their own. */
  readonly hash_types: readonly string[];
  readonly hash_types_source: SettingSource;
  readonly vnics: readonly RssVnic[];
}

export interface RssReply extends RssStatus {
  readonly schema: number;
}

/** What is absent stays as it is. */
export interface RssRequest {
  /** "random", "nic" or hexadecimal digits. */
  readonly key?: string | undefined;
  readonly hash_types?: readonly string[] | undefined;
  /** Empty: equal shares. */
  readonly weights?: readonly number[] | undefined;
  /** First forget what the operator set: the configuration holds again. */
  readonly reset?: boolean | undefined;
  /** Only say what would be done. */
  readonly dry_run?: boolean | undefined;
}

export interface RssChange {
  /** null: it concerns the host. */
  readonly vnic: string | null;
  readonly device: string | null;
  /** One sentence. */
  readonly what: string;
  /** Buckets of the indirection table that lead to another queue than before. */
  readonly buckets_moved: number;
}

export interface RssSetResult {
  readonly dry_run: boolean;
  readonly changes: readonly RssChange[];
  /** Afterwards; of a dry run: now. */
  readonly rss: RssStatus;
}

export interface RssSetReply extends RssSetResult {
  readonly schema: number;
}
