/** Results of a run -> one self-contained HTML page. Pure; nothing on the page is fetched. */
import { allFailures, type RunResults, totalFrames, worstSwitchMs } from '../results.js';
import { timeChart } from './chart.js';
import { bytes, grouped, html, type Html, milliseconds, scriptJson, seconds } from './html.js';
import { script } from './script.js';
import { style } from './style.js';
import { eventList, flowTable, steeringTable, stepTable } from './tables.js';

const tile = (label: string, value: string, bad = false): Html =>
  html`<div class="tile${bad ? ' bad' : ''}"><b>${value}</b><span class="muted">${label}</span></div>`;

function tiles(results: RunResults): Html {
  const total = totalFrames(results);
  const planned = results.steps.filter((step) => step.lossAllowed === 0).map((step) => step.frames);
  const lostPlanned = planned.reduce((sum, frames) => sum + frames.lost, 0);
  const lostFaults = total.lost - lostPlanned;
  const machines = results.guests === 'qemu';
  const switches = results.steps.map((step) => worstSwitchMs(step.switchTimes)).filter((value) => value !== null);
  return html`<div class="tiles">
${tile('frames sent', grouped(total.sent))}
${tile('lost, planned steps', grouped(lostPlanned), lostPlanned > 0)}
${tile(machines ? 'lost, faults and standstills of QEMU' : 'lost, unannounced faults', grouped(lostFaults))}
${tile('duplicated', grouped(total.duplicated), total.duplicated > 0)}
${tile('corrupt', grouped(total.corrupt), total.corrupt > 0)}
${tile('slowest switch', switches.length === 0 ? '–' : `${milliseconds(Math.max(...switches))} ms`)}
${tile(results.tcp.alive ? 'over one TCP connection' : 'TCP connection broke', bytes(results.tcp.bytes), !results.tcp.alive)}
</div>`;
}

/** @returns a whole HTML document */
export function renderReport(results: RunResults): string {
  const failures = allFailures(results);
  const passed = failures.length === 0;
  const { svg, geometry } = timeChart(results);
  const { machine } = results;
  const machines = results.guests === 'qemu';
  const list = failures.map((failure) => html`<li>${failure}</li>`);
  const problems = passed ? null : html`<section class="card problems"><b>What went wrong</b><ul>${list}</ul></section>`;
  const facts = [
    `${results.startedAt.replace('T', ' ').slice(0, 19)} UTC`,
    seconds(results.durationMs),
    ...(results.quick ? ['quick'] : []),
    `unipath ${results.version}`,
    `Linux ${machine.kernel}, ${machine.cpus} CPUs, Node ${machine.node}`,
  ];
  const notes = results.notes.length === 0 ? null : html`<h2>Notes</h2><ul>${results.notes.map((note) => html`<li>${note}</li>`)}</ul>`;
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>unipath lab run: ${passed ? 'passed' : 'failed'}</title><style>${style}</style></head>
<body><main>
<header><h1>unipath lab run</h1><span class="verdict${passed ? '' : ' failed'}">${passed ? 'passed' : 'failed'}</span>
<span class="muted">${facts.join(' · ')}</span></header>
<p>Guest g1${machines ? ', a virtual machine of QEMU,' : ''} is moved between its software path and a VF, and from host to host, while numbered frames with checked payload flow
through it. Every frame is accounted for.</p>
${tiles(results)}${problems}
<h2>Throughput, path and events</h2>
<div class="card">${svg}
<div id="readout">Frames are counted where they arrive. Point at the chart to read it; numbered flags are the events below.</div></div>
<h2>Events</h2><div class="card">${eventList(results.events)}</div>
<h2>Steps</h2>${stepTable(results)}
<h2>Steering</h2>${steeringTable(results)}
<h2>Flows</h2>${flowTable(results)}
${notes}
<footer><p><b>switch</b>: from the last frame on the old path to the first on the new, ${
    machines
      ? 'as seen from outside, at the taps, every 10 ms: it took at most so long.'
      : 'as the guest saw it, the slower direction; negative when the two overlapped.'
  } <b>longest gap</b>: longest time in which one of the flows between the world and g1 received
nothing. <b>RFS</b>: sent to the queue on which the guest transmits that flow; <b>RSS</b>: queue by Toeplitz hash.
<b>by the bridge</b>: passed on by the Linux bridge, not redirected. A veth or tap lab shows correctness and ratios, not the speed
of a NIC.${machines ? ' What arrives in guests of QEMU is counted inside them, without times: of it there is no line in the chart.' : ''}</p></footer>
</main><script type="application/json" id="data">${scriptJson({ geometry, results })}</script><script>${script}</script></body></html>
`.text;
}
