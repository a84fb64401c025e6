/** The main program of a module of scenarios that a test runs in a namespace: one of them by name, and its result as JSON. */

/** bigints as strings. */
export function asText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** Prints what the scenario returns. What it leaves behind must not keep the process alive: tests look for that. */
export async function printScenario(scenarios: Readonly<Record<string, () => unknown>>, name = ''): Promise<void> {
  const scenario = scenarios[name];
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  // Keeps the process alive while it is awaiting.
  const alive = setInterval(() => undefined, 1_000);
  const result = await scenario();
  clearInterval(alive);
  process.stdout.write(JSON.stringify(result, asText));
}
