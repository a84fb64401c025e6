/** The page's script: a crosshair over the chart that reads the series at the pointer. The page is complete without it. */
import { Html } from './html.js';

export const script = new Html(`
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const { geometry, results } = data;
  const chart = document.getElementById('chart');
  const crosshair = document.getElementById('crosshair');
  const readout = document.getElementById('readout');
  const idle = readout.textContent;
  const format = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });
  chart.addEventListener('pointermove', (event) => {
    const box = chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * geometry.width;
    const share = (x - geometry.left) / (geometry.width - geometry.left - geometry.right);
    if (share < 0 || share > 1) return leave();
    const ms = share * geometry.endMs;
    crosshair.setAttribute('x1', x);
    crosshair.setAttribute('x2', x);
    crosshair.setAttribute('visibility', 'visible');
    const parts = [(ms / 1000).toFixed(1) + ' s'];
    for (const band of results.bands) if (ms >= band.fromMs && ms < band.toMs) parts.push(band.lane + ': ' + band.label);
    for (const series of results.series) {
      const value = series.values[Math.floor((ms - series.startMs) / series.binMs)];
      if (value !== undefined) parts.push(series.name + ' ' + format.format(value) + ' ' + series.unit);
    }
    readout.textContent = parts.join('  ·  ');
  });
  const leave = () => { crosshair.setAttribute('visibility', 'hidden'); readout.textContent = idle; };
  chart.addEventListener('pointerleave', leave);
})();
`);
