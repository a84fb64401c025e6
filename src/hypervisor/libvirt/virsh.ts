/** Runs virsh against one libvirt daemon and turns its failures into LibvirtErrors. */
import { CommandError, run } from '../../host/exec.js';
import { LineStream, type LineStreamHandlers } from '../../host/line_stream.js';
import { LibvirtError, refusal } from './refusals.js';

const DEFAULT_DEADLINE_MS = 10_000;

export class Virsh {
  /** @param uri libvirt's own, such as "qemu:///system" or "qemu:///system?socket=/run/libvirt/libvirt-sock" */
  constructor(readonly uri: string) {}

  /**
   * One command to its end; returns its stdout. One word with semicolons in it is a script: its exit code is that of the last command.
   * @param what for messages: what is asked, in words
   * @throws LibvirtError
   */
  async run(what: string, args: readonly string[], options: { readonly deadlineMs?: number } = {}): Promise<string> {
    try {
      return await run('virsh', this.#args(args), { timeoutMs: options.deadlineMs ?? DEFAULT_DEADLINE_MS });
    } catch (error) {
      if (!(error instanceof CommandError) || error.reason === 'not-found') throw error;
      if (error.reason === 'timeout') {
        throw new LibvirtError('late', `${what}: no answer from libvirt within ${options.deadlineMs ?? DEFAULT_DEADLINE_MS} ms; it may yet be done`);
      }
      throw refusal(what, error.stderr);
    }
  }

  /** A command that goes on saying something until it is closed or libvirt is gone. */
  stream(args: readonly string[], handlers: LineStreamHandlers): LineStream {
    return new LineStream('virsh', this.#args(args), handlers);
  }

  #args(args: readonly string[]): string[] {
    return ['--quiet', '--connect', this.uri, ...args];
  }
}
