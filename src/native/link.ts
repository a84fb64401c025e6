/** Attachments: XDP on a device, tracing on a tracepoint. */
export type { LinkInfo } from './info.js';
export { attachTracing, TracingLink } from './tracing_link.js';
export { type XdpAttachMode, XdpLink } from './xdp_link.js';
export { type AttachedXdp, queryXdp } from './xdp_query.js';
