/** The lab's handle on a VMM process: a child of ours, or one that serves a unix socket. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabChild } from './child.js';
import type { CopierStats } from './frame_copier.js';
import { JsonLineClient } from './json_lines.js';
import type { VmmProtocol } from './vmm_protocol.js';

export const vmmScript = join(fileURLToPath(new URL('.', import.meta.url)), 'vmm.js');

export interface VmmOptions {
  readonly guestNetns: string;
  readonly guestTap: string;
  /** The first host's. */
  readonly netns: string;
  readonly tap: string;
  readonly queues: number;
}

export function vmmArguments(options: VmmOptions): string[] {
  const { guestNetns, guestTap, netns, tap, queues } = options;
  return ['--guest-netns', guestNetns, '--guest-tap', guestTap, '--netns', netns, '--tap', tap, '--queues', String(queues)];
}

export class VmmClient {
  readonly #channel: Pick<JsonLineClient<VmmProtocol>, 'request'>;
  readonly #close: () => Promise<void>;

  private constructor(channel: Pick<JsonLineClient<VmmProtocol>, 'request'>, close: () => Promise<void>) {
    this.#channel = channel;
    this.#close = close;
  }

  /** Starts a VMM that ends with us. */
  static async start(options: VmmOptions): Promise<VmmClient> {
    const name = `VMM of ${options.guestNetns}`;
    const child = await LabChild.start<VmmProtocol>({ name, netns: null, argv: [vmmScript, ...vmmArguments(options)] });
    return new VmmClient(child, () => child.close());
  }

  /** Talks to one that was started with --socket; close() leaves it running. */
  static async connect(name: string, socketPath: string): Promise<VmmClient> {
    const client = await JsonLineClient.connect<VmmProtocol>(name, socketPath);
    return new VmmClient(client, async () => client.end());
  }

  /** A further host's tap; its frames reach the guest at once. */
  async attach(netns: string, tap: string): Promise<void> {
    await this.#channel.request('attach', { netns, tap });
  }

  /**
   * The guest transmits to the tap attached last; returns the name of that tap's namespace.
   * @param announce the guest's MAC address, to tell that host's bridge at once
   */
  async switch(announce?: string): Promise<string> {
    return (await this.#channel.request('switch', announce === undefined ? {} : { announce })).netns;
  }

  async detach(netns: string): Promise<void> {
    await this.#channel.request('detach', { netns });
  }

  stats(): Promise<CopierStats> {
    return this.#channel.request('stats', {});
  }

  close(): Promise<void> {
    return this.#close();
  }
}
