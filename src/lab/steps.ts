/** The vocabulary of `lab up`: a step is a list of actions, with what takes them back. Data only. */

/** Detached; what it says goes to `log`. */
export interface StartProcess {
  readonly kind: 'start-process';
  readonly name: string;
  /** null is the namespace of the caller. */
  readonly netns: string | null;
  readonly argv: readonly string[];
  readonly log: string;
}

export type Action =
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  /** Kernel settings of one namespace; those that this kernel does not have are left out. */
  | { readonly kind: 'sysctl'; readonly netns: string; readonly settings: Readonly<Record<string, string>> }
  | { readonly kind: 'make-directory'; readonly path: string }
  | { readonly kind: 'write-file'; readonly path: string; readonly text: string }
  | { readonly kind: 'mount-bpffs'; readonly path: string }
  | StartProcess
  /** Waits until the control socket answers that a reconcile has completed. */
  | { readonly kind: 'await-daemon'; readonly process: string; readonly socket: string; readonly log: string }
  /** Waits until the process has said {"event": "ready"} in its log. */
  | { readonly kind: 'await-ready'; readonly process: string; readonly log: string }
  /** Waits until the guest has booted and its shell answers. */
  | { readonly kind: 'await-machine'; readonly process: string; readonly guest: string; readonly folder: string };

/** Each is harmless when there is nothing (any more) to undo. */
export type Undo =
  | { readonly kind: 'delete-netns'; readonly name: string }
  /** The kernel clears a deleted namespace in the background: wait for these devices, whose other ends were in one. */
  | { readonly kind: 'await-links-gone'; readonly netns: string; readonly names: readonly string[] }
  | { readonly kind: 'remove-tree'; readonly path: string }
  /** Not while somebody else's things are in it. */
  | { readonly kind: 'unmount-if-empty'; readonly path: string }
  | { readonly kind: 'remove-empty-directory'; readonly path: string }
  | { readonly kind: 'stop-process'; readonly name: string };

export interface Step {
  readonly title: string;
  readonly actions: readonly Action[];
  /** Run in this order. Empty when `inside` says what takes the step back. */
  readonly undo: readonly Undo[];
  /** Namespaces whose removal is this step's undo: a device does not outlive its namespace. */
  readonly inside: readonly string[];
}
