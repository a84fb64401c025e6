/** What libbpf has to say about a failure: it writes its reasons to a print function and returns a number. */
import { ffi } from './ffi.js';
import type { Address } from './ffi_types.js';
import { libbpf } from './libbpf.js';
import { libc } from './libc.js';

/** enum libbpf_print_level */
const LIBBPF_WARN = 0;
const longestMessage = 1024;
const mostMessages = 8;

let heard: string[] = [];
let listener: Address | null = null;

/** int print(enum libbpf_print_level level, const char *format, va_list arguments) */
function print(level: number, format: Address, args: Address): number {
  if (level !== LIBBPF_WARN || heard.length >= mostMessages) return 0;
  const text = Buffer.alloc(longestMessage);
  // A va_list parameter is a pointer on x86-64 and on arm64, and is handed on as such.
  libc().vsnprintf(text, text.length, format, args);
  heard.push(text.toString('utf8', 0, text.indexOf(0)).replace(/^libbpf: /, '').trim());
  return 0;
}

/**
 * Runs a synchronous call into libbpf and returns its warnings with the result. Only for calls that are going to fail: it costs
 * microseconds for each line that libbpf prints, debug lines included.
 */
export function withMessages<T>(call: () => T): { result: T; messages: string[] } {
  listener ??= ffi().callback(print);
  heard = [];
  libbpf().libbpf_set_print(listener);
  try {
    return { result: call(), messages: heard };
  } finally {
    libbpf().libbpf_set_print(null);
  }
}
