/**
 * Where a scenario with real frames happens: namespaces that the test makes and removes, whatever becomes of the scenario. The
 * scenario itself is a module that runs in the host's namespace, because XDP programs are attached from there.
 *
 *   in the test:      const seen = await runOnBed<Seen>(t, scenarios, 'tapToTap', ['world', 'g1', 'g2']);
 *   in the scenarios: await serveScenarios({ async tapToTap(place) { ...; return seen; } });
 */
import { asText } from '../../support/scenario.js';

/** Namespace of the host, and of each station by its name. */
export interface Place {
  readonly pins: string;
  readonly host: string;
  readonly stations: Readonly<Record<string, string>>;
}

/** The main program of a module of scenarios: SCENARIO PLACE; prints what the scenario returns. */
export async function serveScenarios(scenarios: Readonly<Record<string, (place: Place) => Promise<unknown>>>): Promise<never> {
  const [, , name = '', place = ''] = process.argv;
  const scenario = scenarios[name];
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  // Keeps the process alive while it is awaiting.
  setInterval(() => undefined, 1_000);
  const result = await scenario(JSON.parse(place) as Place);
  await new Promise<void>((resolve) => process.stdout.write(JSON.stringify(result, asText), () => resolve()));
  process.exit(0);
}
