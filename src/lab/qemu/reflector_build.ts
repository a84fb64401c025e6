/** Compiles the guests' traffic program (reflector.c), when its sources are newer than it is. */
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { run } from '../../host/exec.js';
import { guestFiles } from './files.js';

const COMPILE_DEADLINE_MS = 60_000;

/** Static: it runs in guests and on hosts alike. @returns the program. @throws CommandError with the compiler's words */
export async function compileReflector(): Promise<string> {
  const { reflector, reflectorSources } = guestFiles;
  const changed = Math.max(...reflectorSources.map((path) => statSync(path).mtimeMs));
  if (existsSync(reflector) && statSync(reflector).mtimeMs > changed) return reflector;
  mkdirSync(dirname(reflector), { recursive: true });
  const unfinished = `${reflector}.${process.pid}`;
  const [source = ''] = reflectorSources;
  await run('gcc', ['-O2', '-static', '-Wall', '-Wextra', '-Werror', '-o', unfinished, source], { timeoutMs: COMPILE_DEADLINE_MS });
  renameSync(unfinished, reflector);
  return reflector;
}
