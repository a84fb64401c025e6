/** The answer to a scrape, piece by piece, at the pace of whoever reads it. */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface MetricsSource {
  readonly contentType: string;
  /** The text, in pieces. */
  render(): Promise<readonly Buffer[]>;
}

/** Rejects when there is no text. Whoever goes away before its end is let go. */
export async function sendScrape(source: MetricsSource, response: ServerResponse): Promise<void> {
  const pieces = await source.render();
  response.writeHead(200, { 'content-type': source.contentType });
  await pipeline(Readable.from(pieces), response).catch(() => undefined);
}
