/** Runs in the machine: an orchestrator's live migration of a guest from one QEMU to another, by their QMP sockets. Prints how it went. */
import { printScenario } from '../support/scenario.js';
import { Migration } from '../qemu/migration.js';

const DEADLINE_MS = 300_000;
/** An emulated CPU has better to do than to be asked. */
const POLL_MS = 1000;
const [from = '', to = '', folder = ''] = process.argv.slice(2);

await printScenario(
  {
    async migrate() {
      const migration = await Migration.between(from, to, folder);
      await migration.start(folder);
      const migrated = await migration.end({ deadlineMs: DEADLINE_MS, pollMs: POLL_MS });
      migration.close();
      return migrated;
    },
  },
  'migrate',
);
