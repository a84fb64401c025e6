/** PromQL that several dashboards write, over the interval that Grafana chooses. */
import type { Query } from './panels.js';

/** @param metric a counter, with its selector @param by labels to keep, separated by commas */
export const rate = (metric: string, by: string): string => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;

/** Of a counter of bytes, in bits: what links are measured in. */
export const bitRate = (metric: string, by: string): string => `8 * ${rate(metric, by)}`;

/** The largest of very many lines; at each moment, so a few more may show. */
export const largest = (expr: string): string => `topk(12, ${expr})`;

/** @param bucket buckets of a histogram, with their selector @param by labels to keep besides le */
export const quantile = (q: number, bucket: string, ...by: readonly string[]): string => `histogram_quantile(${q}, ${rate(bucket, ['le', ...by].join(', '))})`;

/** Median and 99th percentile; one line each, or one each for every value of the label. */
export function medianAnd99(bucket: string, ...label: readonly [] | readonly [string]): Query[] {
  const of = label.map((name) => `{{${name}}}, `).join('');
  return [
    { expr: quantile(0.5, bucket, ...label), legend: `${of}median` },
    { expr: quantile(0.99, bucket, ...label), legend: `${of}99 %` },
  ];
}
