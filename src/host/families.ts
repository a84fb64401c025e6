/** Questions to generic-netlink families, each of which a kernel may lack: then there is no answer, and that is said once. */
import { familyPayload, GENL_ID_CTRL, readFamilyId } from './genl_messages.js';
import type { NetlinkMessage } from './netlink_messages.js';
import { NETLINK_GENERIC, NetlinkSocket } from './netlink_socket.js';

export type FamilyName = 'ethtool' | 'netdev';

export class Families {
  readonly #socket = new NetlinkSocket(NETLINK_GENERIC);
  readonly #ids = new Map<FamilyName, number>();
  readonly #warned = new Set<string>();
  readonly #warn: (message: string) => void;

  /** `warn` is told what cannot be read, and what is done without it. */
  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /** Payloads of everything of one kind; `without` says in words what is done when there is no answer. Null: there is none. */
  async dump(family: FamilyName, payload: Buffer, what: string, without: string): Promise<readonly Buffer[] | null> {
    return this.#try(what, without, async () => {
      const id = await this.#idOf(family);
      const messages = await this.#socket.dump(id, payload, what);
      return messages.filter(({ type }) => type === id).map((message) => message.payload);
    });
  }

  /** Payload of the one answer. @throws NetlinkError */
  async ask(family: FamilyName, payload: Buffer, what: string): Promise<Buffer> {
    return (await this.#socket.ask(await this.#idOf(family), payload, what)).payload;
  }

  /** The same; null when there is no answer. */
  async tryToAsk(family: FamilyName, payload: Buffer, what: string, without: string): Promise<Buffer | null> {
    return this.#try(what, without, () => this.ask(family, payload, what));
  }

  close(): void {
    this.#socket.close();
  }

  async #idOf(family: FamilyName): Promise<number> {
    const known = this.#ids.get(family);
    if (known !== undefined) return known;
    const answer: NetlinkMessage = await this.#socket.ask(GENL_ID_CTRL, familyPayload(family), `family ${family}`);
    const id = readFamilyId(answer.payload);
    if (id === null) throw new Error(`family ${family} has no number`);
    this.#ids.set(family, id);
    return id;
  }

  async #try<T>(what: string, without: string, question: () => Promise<T>): Promise<T | null> {
    try {
      return await question();
    } catch (error) {
      if (!this.#warned.has(what)) this.#warn(`cannot read the ${what}, ${without}: ${(error as Error).message}`);
      this.#warned.add(what);
      return null;
    }
  }
}
