import test from 'ava';
import { ControlClient, RequestError } from '../../../src/control/client.js';
import type { ExplainRequest } from '../../../src/control/protocol.js';
import { LookupError } from '../../../src/dataplane/site_names.js';
import { fakeDaemon } from '../../support/control_socket.js';

test('flow.explain: the request arrives as it was sent, frames longer than other requests may be', async (t) => {
  const asked: ExplainRequest[] = [];
  const { socket } = await fakeDaemon(t, {
    explain: async (request) => {
      asked.push(request);
      return { explanations: [] };
    },
  });
  const request: ExplainRequest = { vnic: 'g1', cpu: 1, frames: [{ frame: '00'.repeat(100_000), interface: null }] };
  t.deepEqual(await new ControlClient(socket).explain(request), { schema: 1, explanations: [] });
  t.deepEqual(asked, [request]);
});

test('flow.explain: what is wrong is refused, and not called an error of the daemon', async (t) => {
  const { socket, failures } = await fakeDaemon(t, {
    explain: async () => {
      throw new LookupError('there is no vNIC "g9"', 'unknown_vnic', 'did you mean "g1"?');
    },
  });
  const client = new ControlClient(socket);
  const refused = async (request: object, status: number, code: string, message: RegExp) => {
    const error = await t.throwsAsync(() => client.explain(request as ExplainRequest), { instanceOf: RequestError, message });
    t.deepEqual([(error as RequestError).status, (error as RequestError).code], [status, code]);
  };
  await refused({ vnic: 'g9' }, 422, 'unknown_vnic', /no vNIC "g9"/);
  await refused({ from: 'sideways' }, 400, 'bad_request', /from/);
  await refused({ flow: { source: '1.2.3.4', destination: '1.2.3.5', protocol: 300 } }, 400, 'bad_request', /flow\.protocol/);
  await refused({ frames: [{ frame: '0'.repeat(2_000_000), interface: null }] }, 413, 'body_too_large', /more than 1048576 bytes/);
  t.deepEqual(failures, []);
});
