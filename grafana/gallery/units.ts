/** Numbers as Grafana writes them, by the names of its units. Pure. */

const trimmed = (value: number, digits = 3): string => String(Number(value.toPrecision(digits)));

function scaled(value: number, base: number, units: readonly string[]): string {
  let [rest, at] = [value, 0];
  while (Math.abs(rest) >= base && at < units.length - 1) [rest, at] = [rest / base, at + 1];
  return `${trimmed(rest)}${units[at]}`;
}

function seconds(value: number): string {
  const size = Math.abs(value);
  if (size >= 3600) return `${trimmed(value / 3600)} h`;
  if (size >= 60) return `${trimmed(value / 60)} min`;
  if (size >= 1 || size === 0) return `${trimmed(value)} s`;
  if (size >= 1e-3) return `${trimmed(value * 1e3)} ms`;
  return size >= 1e-6 ? `${trimmed(value * 1e6)} µs` : `${trimmed(value * 1e9)} ns`;
}

const WRITTEN: Readonly<Record<string, (value: number) => string>> = {
  pps: (value) => scaled(value, 1000, [' p/s', ' kp/s', ' Mp/s', ' Gp/s']),
  bps: (value) => scaled(value, 1000, [' b/s', ' kb/s', ' Mb/s', ' Gb/s']),
  bytes: (value) => scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB']),
  ops: (value) => `${trimmed(value)} ops/s`,
  percentunit: (value) => `${trimmed(value * 100)} %`,
  s: seconds,
  short: (value) => scaled(value, 1000, ['', ' K', ' Mil', ' Bil']),
};

/** @throws Error for a unit that no picture knows */
export function written(unit: string, value: number): string {
  const write = WRITTEN[unit];
  if (write === undefined) throw new Error(`the gallery does not know the unit ${unit}: add it in grafana/gallery/units.ts`);
  return Number.isFinite(value) ? write(value) : '-';
}
