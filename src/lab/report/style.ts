/** The page's style sheet, light and dark. */
import { Html } from './html.js';

export const style = new Html(`
:root {
  color-scheme: light dark;
  --page: #f6f7f8; --card: #ffffff; --text: #1b2127; --muted: #66707a; --line: #dde2e6; --grid: #edf0f2; --mark: #4b5763;
  --software: #a9b4be; --software-text: #1b2127; --accelerated: #128a72; --accelerated-text: #ffffff;
  --place: #e4e9ee; --place-text: #38424c; --s0: #2563c9; --s1: #cf5a17;
  --q0: #2f6fd0; --q1: #3f8d96; --q2: #8a6fc4; --q3: #a67c2b; --bad: #c4232f; --bad-soft: #fdecec; --good: #128a72;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161a; --card: #1a2026; --text: #e4e8ec; --muted: #94a0ab; --line: #323b44; --grid: #252d35; --mark: #b3bec8;
    --software: #56636f; --software-text: #f0f3f5; --accelerated: #1fa98c; --accelerated-text: #06231c;
    --place: #2a333c; --place-text: #c4ced7; --s0: #6ea6ff; --s1: #f2935a;
    --q0: #3d78d4; --q1: #3f8f98; --q2: #8069bd; --q3: #a67c2b; --bad: #ff6b72; --bad-soft: #3a1d20; --good: #2fc5a4;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 14px/1.45 system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
main { max-width: 1320px; margin: 0 auto; padding: 24px 20px 56px; }
h1 { font-size: 22px; margin: 0; font-weight: 650; }
h2 { font-size: 15px; margin: 30px 0 8px; font-weight: 650; }
p { margin: 4px 0; max-width: 86ch; }
.muted, .zero { color: var(--muted); }
header { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; }
.verdict { font-weight: 650; padding: 2px 10px; border-radius: 999px; color: #fff; background: #128a72; }
.verdict.failed { background: #c4232f; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(138px, 1fr)); gap: 10px; margin: 16px 0 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 9px 12px; }
.tile b { display: block; font-size: 20px; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile.bad b { color: var(--bad); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.problems { background: var(--bad-soft); border-color: var(--bad); margin-top: 16px; }
.problems ul { margin: 4px 0; padding-left: 20px; }

svg { display: block; width: 100%; height: auto; font: 11px system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
svg text { fill: var(--text); }
svg .tick, svg .unit, svg .lane { fill: var(--muted); font-weight: 400; }
svg .legend { font-weight: 400; }
svg .panel { font-size: 12px; font-weight: 650; }
svg .grid { stroke: var(--grid); }
svg .base { stroke: var(--line); }
.band.software { fill: var(--software); }
.band.accelerated { fill: var(--accelerated); }
.band.place { fill: var(--place); }
svg .in-software { fill: var(--software-text); }
svg .in-accelerated { fill: var(--accelerated-text); }
svg .in-place { fill: var(--place-text); }
.series { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.s0 { stroke: var(--s0); }
.s1 { stroke: var(--s1); }
svg .key0 { fill: var(--s0); }
svg .key1 { fill: var(--s1); }
.marker line { stroke: var(--mark); stroke-dasharray: 2 3; opacity: .65; }
.marker circle { fill: var(--mark); }
svg .marker text { fill: var(--card); font-size: 10px; font-weight: 600; }
.marker.fault line { stroke: var(--bad); }
.marker.fault circle { fill: var(--bad); }
#crosshair { stroke: var(--text); opacity: .5; }
#readout { min-height: 20px; color: var(--muted); font-variant-numeric: tabular-nums; }

.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--muted); font-size: 12px; vertical-align: bottom; }
th, td { padding: 5px 7px; }
td { vertical-align: top; white-space: nowrap; border-top: 1px solid var(--line); }
td.what { white-space: normal; min-width: 200px; }
tfoot td { font-weight: 600; border-top: 2px solid var(--line); }
.n { text-align: right; }
.bad { color: var(--bad); font-weight: 650; }
.mark { color: var(--good); font-weight: 700; }
tr.failed { background: var(--bad-soft); }
tr.failed .mark { color: var(--bad); }
.more td { border-top: 0; padding-top: 0; }
.failures { margin: 3px 0 0; padding-left: 17px; color: var(--bad); }
.chip { padding: 1px 8px; border-radius: 999px; font-size: 12px; background: var(--software); color: var(--software-text); }
.chip.accelerated { background: var(--accelerated); color: var(--accelerated-text); }
.tag { font-size: 11px; border: 1px solid var(--bad); color: var(--bad); border-radius: 4px; padding: 0 4px; }
.spread { display: flex; align-items: center; gap: 8px; margin: 1px 0; }
.spread .n { width: 62px; }
.port { width: 24px; color: var(--muted); }
.bar { display: flex; width: 260px; height: 17px; border-radius: 3px; overflow: hidden; background: var(--grid); }
.q { color: #fff; font-size: 11px; line-height: 17px; text-align: center; overflow: hidden; }
.q0 { background: var(--q0); }
.q1 { background: var(--q1); }
.q2 { background: var(--q2); }
.q3 { background: var(--q3); }

.events { columns: 2; column-gap: 36px; padding-left: 26px; margin: 0; }
.events li { break-inside: avoid; padding: 1px 0; }
.events li::marker { color: var(--muted); }
.events .fault { color: var(--bad); }
.time { display: inline-block; min-width: 50px; color: var(--muted); font-variant-numeric: tabular-nums; }
footer { margin-top: 28px; color: var(--muted); font-size: 12.5px; }
@media (max-width: 760px) { .events { columns: 1; } }
@media print { body { background: #fff; } .scroll { overflow: visible; } }
`);
