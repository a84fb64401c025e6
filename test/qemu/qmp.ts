/** As much QMP as these tests need: commands one at a time, and the events that came. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

interface Message {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface Qmp {
  execute(command: string, args?: object): Promise<unknown>;
  /** Resolves when an event of this name has come for the device; each is reported once. */
  event(name: string, device: string): Promise<void>;
  close(): void;
}

export async function connectQmp(path: string): Promise<Qmp> {
  const socket: Socket = connect(path);
  await once(socket, 'connect');
  const events: Message[] = [];
  let answer: (message: Message) => void = () => {};
  let onEvent: () => void = () => {};
  createInterface(socket).on('line', (line) => {
    const message = JSON.parse(line) as Message;
    if (message.event === undefined) answer(message);
    else {
      events.push(message);
      onEvent();
    }
  });
  await new Promise<Message>((resolve) => {
    answer = resolve;
  });
  const execute = async (command: string, args: object = {}): Promise<unknown> => {
    const answered = new Promise<Message>((resolve) => {
      answer = resolve;
    });
    socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    const message = await answered;
    if (message.error !== undefined) throw new Error(`${command}: ${message.error.desc}`);
    return message.return;
  };
  await execute('qmp_capabilities');
  return {
    execute,
    async event(name, device) {
      for (;;) {
        const index = events.findIndex((each) => each.event === name && each.data?.['device'] === device);
        if (index >= 0) {
          events.splice(index, 1);
          return;
        }
        await new Promise<void>((resolve) => {
          onEvent = resolve;
        });
      }
    },
    close: () => socket.destroy(),
  };
}
