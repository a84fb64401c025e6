/** Asks one libvirt daemon through virsh, and turns its failures into LibvirtErrors. */
import { CommandError, run } from '../../host/exec.js';
import { LineStream, type LineStreamHandlers } from '../../host/line_stream.js';
import { LibvirtError, refusal } from './refusals.js';
import { shellLine, VirshShells } from './virsh_shell.js';

const DEFAULT_DEADLINE_MS = 10_000;

export class Virsh {
  readonly #shells: VirshShells;

  /** @param uri libvirt's own, such as "qemu:///system" or "qemu:///system?socket=/run/libvirt/libvirt-sock" */
  constructor(readonly uri: string) {
    this.#shells = new VirshShells(uri);
  }

  /**
   * One command to its end; returns its stdout. One word with semicolons in it is a script: it goes on after a command that fails,
   * and ends with one that does not; what its commands said of their failures may be among the output.
   * @param what for messages: what is asked, in words
   * @throws LibvirtError
   */
  async run(what: string, args: readonly string[], options: { readonly deadlineMs?: number } = {}): Promise<string> {
    const { deadlineMs = DEFAULT_DEADLINE_MS } = options;
    const line = shellLine(args);
    const answer = line === null ? null : await this.#shells.run(what, line, deadlineMs);
    if (answer === null) return this.#runAlone(what, args, deadlineMs);
    if (args.length > 1 && /^error: /m.test(answer)) throw refusal(what, answer);
    return answer;
  }

  /** A command that goes on saying something until it is closed or libvirt is gone. */
  stream(args: readonly string[], handlers: LineStreamHandlers): LineStream {
    return new LineStream('virsh', this.#args(args), handlers);
  }

  /** What is asked now fails; what is asked later may be slow. */
  close(): void {
    this.#shells.close();
  }

  /** By a virsh of its own, whose words are those for the operator where no connection can be made. */
  async #runAlone(what: string, args: readonly string[], deadlineMs: number): Promise<string> {
    try {
      return await run('virsh', this.#args(args), { timeoutMs: deadlineMs });
    } catch (error) {
      if (!(error instanceof CommandError) || error.reason === 'not-found') throw error;
      if (error.reason === 'timeout') {
        throw new LibvirtError('late', `${what}: no answer from libvirt within ${deadlineMs} ms; it may yet be done`);
      }
      throw refusal(what, error.stderr);
    }
  }

  #args(args: readonly string[]): string[] {
    return ['--quiet', '--connect', this.uri, ...args];
  }
}
