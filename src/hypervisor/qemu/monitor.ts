/**
 * A running QEMU, as one talks to it: commands and events of QMP, whoever carries them (its own socket, or libvirt). See QEMU's
 * docs/interop/qmp-spec.rst.
 */

export interface QmpEvent {
  /** "DEVICE_DELETED" and the like. */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** When QEMU sent it, in milliseconds since the epoch. */
  readonly timeMs: number;
}

export interface QemuMonitor {
  /** For messages: the socket's path, or the domain's name. */
  readonly name: string;
  /**
   * @param options.deadlineMs default 5000
   * @throws QmpError when QEMU refuses (with its class and words), MonitorLostError when the connection ends first or the
   * answer is late
   */
  execute(command: string, args?: Readonly<Record<string, unknown>>, options?: { readonly deadlineMs?: number }): Promise<unknown>;
  /** Called in the order of arrival; returns the function that stops it. */
  onEvent(listener: (event: QmpEvent) => void): () => void;
  /** Called once, when the connection has ended for good. */
  onEnd(listener: (why: string) => void): () => void;
  close(): void;
}

/** QEMU answered, and refused. */
export class QmpError extends Error {
  override readonly name = 'QmpError';
  /** "GenericError", "DeviceNotFound", "CommandNotFound", ... */
  readonly qmpClass: string;

  constructor(command: string, qmpClass: string, description: string) {
    super(`${command}: ${description}`);
    this.qmpClass = qmpClass;
  }
}

/** There is nobody to ask any more, or no answer came in time. What was asked may have been done. */
export class MonitorLostError extends Error {
  override readonly name = 'MonitorLostError';
}
