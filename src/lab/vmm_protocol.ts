/** What the stand-in for QEMU is asked and answers; see json_lines.ts for the framing. */
import type { CopierStats } from './frame_copier.js';

type Nothing = Readonly<Record<string, never>>;

export type VmmProtocol = {
  /**
   * Opens a further host's tap, made when it is not there. Its frames reach the guest at once; the guest's do not yet go to it.
   * Answers when the host's network knows the tap to be up (if it is), so that it will take them.
   */
  attach: { request: { readonly netns: string; readonly tap: string; readonly queues?: number }; reply: Nothing };
  /**
   * The guest's frames go to the tap attached last, and only there. With `announce` (the guest's MAC address) that host's
   * bridge is told at once that the guest is here now, as QEMU does at the end of a migration.
   */
  switch: { request: { readonly announce?: string }; reply: { readonly netns: string } };
  /** Brings what this host's tap still holds to the guest, then lets go of it. Refused while the guest transmits to it. */
  detach: { request: { readonly netns: string }; reply: Nothing };
  stats: { request: Nothing; reply: CopierStats };
};
