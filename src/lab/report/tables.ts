/** The tables of the page: steps, steering, flows, events. */
import {
  addFrames,
  type FrameCounts,
  type GuestSteering,
  noFrames,
  type PortSpread,
  type RunEvent,
  type RunResults,
  type StepResult,
  totalFrames,
  worstSwitchMs,
} from '../results.js';
import { bytes, grouped, html, type Html, milliseconds, percent, seconds } from './html.js';

function count(value: number, bad = false): Html {
  return html`<td class="n${value === 0 ? ' zero' : bad ? ' bad' : ''}">${grouped(value)}</td>`;
}

const heads = (names: readonly string[]): Html[] => names.map((name) => html`<th class="n">${name}</th>`);
const FRAME_HEADS = ['sent', 'received', 'lost', 'duplicated', 'reordered', 'corrupt'];

const frameCells = (frames: FrameCounts, lossAllowed: number): Html[] => [
  count(frames.sent),
  count(frames.received),
  count(frames.lost, frames.lost > lossAllowed),
  count(frames.duplicated, true),
  count(frames.reordered),
  count(frames.corrupt, true),
];

const optionalMs = (value: number | null): Html =>
  value === null ? html`<td class="n zero">–</td>` : html`<td class="n">${milliseconds(value)}</td>`;

function stepRow(step: StepResult, index: number): Html {
  const ok = step.failures.length === 0;
  const { where } = step;
  const reason = where.reason === 'none' ? null : html`<br><span class="muted">${where.reason}</span>`;
  const failures = ok ? null : html`<ul class="failures">${step.failures.map((failure) => html`<li>${failure}</li>`)}</ul>`;
  const why = step.lossReason === '' || step.kind === 'fault' ? '' : `, ${step.lossReason}`;
  const allowed = step.lossAllowed > 0 ? html`<br><span class="muted">up to ${grouped(step.lossAllowed)} may be lost${why}</span>` : null;
  const tag = step.kind === 'planned' ? null : html` <span class="tag">${step.kind}</span>`;
  return html`<tr class="${ok ? 'ok' : 'failed'}">
<td class="mark" title="${ok ? 'as it must be' : 'failed'}">${ok ? '✓' : '✗'}</td><td class="n muted">${index + 1}</td>
<td class="what">${step.title}${tag}${allowed}${failures}</td>
<td class="muted">${seconds(step.fromMs)}</td><td>${where.host}</td><td><span class="chip ${where.path}">${where.path}</span>${reason}</td>
${frameCells(step.frames, step.lossAllowed)}${optionalMs(worstSwitchMs(step.switchTimes))}${optionalMs(step.longestGapMs)}
<td class="n">${grouped(Math.round(step.framesPerSecond))}</td><td class="n">${bytes(step.tcpBytes)}</td></tr>`;
}

export function stepTable(results: RunResults): Html {
  const total = totalFrames(results);
  const allowed = results.steps.reduce((sum, step) => sum + step.lossAllowed, 0);
  return html`<div class="scroll"><table>
<thead><tr><th></th><th></th><th>step</th><th>at</th><th>host</th><th>path of g1</th>
${heads([...FRAME_HEADS, 'switch, ms', 'longest gap, ms', 'frames/s', 'TCP'])}</tr></thead>
<tbody>${results.steps.map(stepRow)}</tbody>
<tfoot><tr><td></td><td></td><td>all steps</td><td></td><td></td><td></td>${frameCells(total, allowed)}
<td></td><td></td><td></td><td class="n">${bytes(results.tcp.bytes)}</td></tr></tfoot>
</table></div>`;
}

/** One bar, cut into the queues' shares. */
function spreadBar({ port, frames, unreachable }: PortSpread): Html {
  const total = frames.reduce((sum, value) => sum + value, 0);
  const parts = frames.map((value, queue) => {
    if (value === 0) return html``;
    const share = (100 * value) / total;
    const label = share > 12 ? `q${queue} ${share.toFixed(0)} %` : '';
    const title = `queue ${queue}: ${grouped(value)} frames`;
    return html`<span class="q q${queue % 4}" style="width:${share.toFixed(2)}%" title="${title}">${label}</span>`;
  });
  const queues = unreachable.map((queue) => `q${queue}`).join(', ');
  const missing = queues === '' ? null : html`<span class="muted"> no CPU reaches ${queues}</span>`;
  return html`<div class="spread"><span class="port">${port}</span><span class="bar">${parts}</span>
<span class="n">${grouped(total)}</span>${missing}</div>`;
}

function steeringRow(step: StepResult, index: number, steering: GuestSteering, isFirst: boolean): Html {
  const { guest, ports, rfs, rss, single, bridge } = steering;
  const used = ports.filter(({ frames }) => frames.some((value) => value > 0));
  return html`<tr class="${isFirst ? '' : 'more'}"><td class="n muted">${isFirst ? index + 1 : null}</td>
<td class="what">${isFirst ? step.title : null}</td><td>${guest}</td>
<td>${used.length === 0 ? html`<span class="muted">nothing redirected</span>` : used.map(spreadBar)}</td>
${count(rfs)}${count(rss)}<td class="n">${percent(rfs, rfs + rss)}</td>${count(single)}${count(bridge)}</tr>`;
}

export function steeringTable(results: RunResults): Html {
  const rows = results.steps.flatMap((step, index) => step.steering.map((steering, row) => steeringRow(step, index, steering, row === 0)));
  return html`<div class="scroll"><table>
<thead><tr><th></th><th>step, after its changes</th><th>toward</th><th>redirected, by port and queue</th>
${heads(['by RFS', 'by RSS', 'RFS share', 'one queue', 'by the bridge'])}</tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

export function flowTable(results: RunResults): Html {
  const names = [...new Set(results.steps.flatMap((step) => step.flows.map((flow) => flow.name)))];
  const rows = names.map((name) => {
    const flows = results.steps.flatMap((step) => step.flows.filter((flow) => flow.name === name));
    const frames = flows.map((flow) => flow.frames).reduce(addFrames, noFrames);
    const gaps = flows.map((flow) => flow.longestGapMs).filter((gap) => gap !== null);
    const allowed = results.steps.reduce((sum, step) => sum + step.lossAllowed, 0);
    return html`<tr><td>${name}</td>${frameCells(frames, allowed)}${optionalMs(gaps.length === 0 ? null : Math.max(...gaps))}</tr>`;
  });
  return html`<div class="scroll"><table>
<thead><tr><th>flow</th>${heads([...FRAME_HEADS, 'longest gap, ms'])}</tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

export function eventList(events: readonly RunEvent[]): Html {
  const items = events.map(({ atMs, title, detail, tone }) => {
    const more = detail === '' ? null : html` <span class="muted">${detail}</span>`;
    return html`<li class="${tone}"><span class="time">${seconds(atMs)}</span> ${title}${more}</li>`;
  });
  return html`<ol class="events">${items}</ol>`;
}
