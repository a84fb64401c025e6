/** The tables of the page: steps, steering, flows, events. */
import { type FrameCounts, type GuestSteering, type PortSpread, type RunEvent, type RunResults, type StepResult, totalFrames, worstSwitchMs } from '../results.js';
import { bytes, grouped, html, type Html, milliseconds, percent, seconds } from './html.js';

const count = (value: number, bad = false): Html => html`<td class="n${bad && value > 0 ? ' bad' : value === 0 ? ' zero' : ''}">${grouped(value)}</td>`;

const frameCells = (frames: FrameCounts, lossAllowed: number): Html[] => [
  count(frames.sent),
  count(frames.received),
  count(frames.lost, frames.lost > lossAllowed),
  count(frames.duplicated, true),
  count(frames.reordered),
  count(frames.corrupt, true),
];

const optionalMs = (value: number | null): Html => (value === null ? html`<td class="n zero">–</td>` : html`<td class="n">${milliseconds(value)}</td>`);

function stepRow(step: StepResult, index: number): Html {
  const ok = step.failures.length === 0;
  const { where } = step;
  const reason = where.reason === 'none' ? null : html`<br><span class="muted">${where.reason}</span>`;
  const failures = ok ? null : html`<ul class="failures">${step.failures.map((failure) => html`<li>${failure}</li>`)}</ul>`;
  const allowed = step.lossAllowed > 0 ? html`<br><span class="muted">up to ${grouped(step.lossAllowed)} may be lost</span>` : null;
  return html`<tr class="${ok ? 'ok' : 'failed'}">
<td class="mark" title="${ok ? 'as it must be' : 'failed'}">${ok ? '✓' : '✗'}</td><td class="n muted">${index + 1}</td>
<td class="what">${step.title}${step.kind === 'fault' ? html` <span class="tag">fault</span>` : null}${allowed}${failures}</td>
<td class="muted">${seconds(step.fromMs)}</td><td>${where.host}</td><td><span class="chip ${where.path}">${where.path}</span>${reason}</td>
${frameCells(step.frames, step.lossAllowed)}
${optionalMs(worstSwitchMs(step.switchTimes))}${optionalMs(step.longestGapMs)}<td class="n">${grouped(Math.round(step.framesPerSecond))}</td><td class="n">${bytes(step.tcpBytes)}</td></tr>`;
}

export function stepTable(results: RunResults): Html {
  const total = totalFrames(results);
  const allowed = results.steps.reduce((sum, step) => sum + step.lossAllowed, 0);
  return html`<div class="scroll"><table>
<thead><tr><th></th><th></th><th>step</th><th>at</th><th>host</th><th>path of g1</th><th class="n">sent</th><th class="n">received</th><th class="n">lost</th>
<th class="n">duplicated</th><th class="n">reordered</th><th class="n">corrupt</th><th class="n">switch, ms</th><th class="n">longest gap, ms</th><th class="n">frames/s</th><th class="n">TCP</th></tr></thead>
<tbody>${results.steps.map(stepRow)}</tbody>
<tfoot><tr><td></td><td></td><td>all steps</td><td></td><td></td><td></td>${frameCells(total, allowed)}<td></td><td></td><td></td><td class="n">${bytes(results.tcp.bytes)}</td></tr></tfoot>
</table></div>`;
}

/** One bar, cut into the queues' shares. */
function spreadBar({ port, frames, unreachable }: PortSpread): Html {
  const total = frames.reduce((sum, value) => sum + value, 0);
  const parts = frames.map((value, queue) => {
    if (value === 0) return html``;
    const share = (100 * value) / total;
    const label = share > 12 ? `q${queue} ${share.toFixed(0)} %` : '';
    return html`<span class="q q${queue % 4}" style="width:${share.toFixed(2)}%" title="queue ${queue}: ${grouped(value)} frames">${label}</span>`;
  });
  const missing = unreachable.length === 0 ? null : html`<span class="muted"> no CPU reaches ${unreachable.map((queue) => `q${queue}`).join(', ')}</span>`;
  return html`<div class="spread"><span class="port">${port}</span><span class="bar">${parts}</span><span class="n">${grouped(total)}</span>${missing}</div>`;
}

function steeringRow(step: StepResult, index: number, steering: GuestSteering, isFirst: boolean): Html {
  const { guest, ports, rfs, rss, single, bridge } = steering;
  const used = ports.filter(({ frames }) => frames.some((value) => value > 0));
  return html`<tr class="${isFirst ? '' : 'more'}"><td class="n muted">${isFirst ? index + 1 : null}</td><td class="what">${isFirst ? step.title : null}</td><td>${guest}</td>
<td>${used.length === 0 ? html`<span class="muted">nothing redirected</span>` : used.map(spreadBar)}</td>
${count(rfs)}${count(rss)}<td class="n">${percent(rfs, rfs + rss)}</td>${count(single)}${count(bridge)}</tr>`;
}

export function steeringTable(results: RunResults): Html {
  const rows = results.steps.flatMap((step, index) => step.steering.map((steering, row) => steeringRow(step, index, steering, row === 0)));
  return html`<div class="scroll"><table>
<thead><tr><th></th><th>step, after its changes</th><th>toward</th><th>redirected, by port and queue</th><th class="n">by RFS</th><th class="n">by RSS</th><th class="n">RFS share</th><th class="n">one queue</th><th class="n">by the bridge</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

export function flowTable(results: RunResults): Html {
  const names = [...new Set(results.steps.flatMap((step) => step.flows.map((flow) => flow.name)))];
  const rows = names.map((name) => {
    const flows = results.steps.flatMap((step) => step.flows.filter((flow) => flow.name === name));
    const sum = (pick: (frames: FrameCounts) => number): number => flows.reduce((total, flow) => total + pick(flow.frames), 0);
    const gaps = flows.map((flow) => flow.longestGapMs).filter((gap) => gap !== null);
    return html`<tr><td>${name}</td>${count(sum((f) => f.sent))}${count(sum((f) => f.received))}${count(sum((f) => f.lost))}${count(sum((f) => f.duplicated))}${count(sum((f) => f.reordered))}${count(sum((f) => f.corrupt))}${optionalMs(gaps.length === 0 ? null : Math.max(...gaps))}</tr>`;
  });
  return html`<div class="scroll"><table>
<thead><tr><th>flow</th><th class="n">sent</th><th class="n">received</th><th class="n">lost</th><th class="n">duplicated</th><th class="n">reordered</th><th class="n">corrupt</th><th class="n">longest gap, ms</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

export function eventList(events: readonly RunEvent[]): Html {
  return html`<ol class="events">${events.map(
    (event) => html`<li class="${event.tone}"><span class="time">${seconds(event.atMs)}</span> ${event.title}${event.detail === '' ? null : html` <span class="muted">${event.detail}</span>`}</li>`,
  )}</ol>`;
}
