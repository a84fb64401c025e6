/**
 * The process that measures one section. Started inside the host's network namespace and on one CPU, because the thread that sends
 * frames keeps both. Takes section and context as JSON in argv, prints a SectionReport as JSON.
 */
import type { SectionContext, SectionName, SectionReport } from './model.js';
import { SECTIONS } from './sections/index.js';

async function measure(section: SectionName, context: SectionContext): Promise<SectionReport> {
  return { section, ...(await SECTIONS[section].measure(context)) };
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${wordsOf(error.cause)}`;
}

try {
  const { section, context } = JSON.parse(process.argv[2] ?? '{}') as { section: SectionName; context: SectionContext };
  const report = await measure(section, context);
  process.stdout.write(JSON.stringify(report), () => process.exit(0));
} catch (error) {
  console.error(`bench: ${wordsOf(error)}`);
  process.exit(1);
}
