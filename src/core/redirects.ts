/** Which frames a device takes that programs on other devices redirect to it. Pure. */
import type { ObservedLink } from './model.js';

/** Where the kernel does not say it (before Linux 6.3), a driver that runs programs natively is believed to take what they redirect, too. */
export function takesRedirects(link: Pick<ObservedLink, 'takesRedirects' | 'xdp'>): boolean {
  return link.takesRedirects ?? link.xdp?.mode !== 'generic';
}

/** A driver that does not say what it takes gets no frame in several buffers: it might drop it silently. */
export function takesMultiBuffer(link: Pick<ObservedLink, 'xdpFeatures'>): boolean {
  return link.xdpFeatures?.multiBufferTransmit ?? false;
}
