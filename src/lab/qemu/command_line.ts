/** What a guest is told by its kernel's command line; init.sh reads it. */

export interface GuestSettings {
  /** With prefix length, on eth0: "10.77.0.11/24". */
  readonly ip?: string;
  readonly ip6?: string;
  readonly mtu?: number;
  /** As ethtool -K takes them: {tso: 'off'}. */
  readonly offloads?: Readonly<Record<string, 'on' | 'off'>>;
  /** Programs that run from the start, by name; their words are in /run/NAME.log of the guest. */
  readonly services?: Readonly<Record<string, readonly string[]>>;
  /** Interface for unipath's agent; needs the image `node`. */
  readonly agent?: string;
}

const WORD = /^[\w.:/=+@-]+$/;

function word(text: string): string {
  if (!WORD.test(text)) throw new RangeError(`"${text}" cannot be given to a guest: letters, digits and . : / = + @ _ - only`);
  return text;
}

export function guestCommandLine(settings: GuestSettings): string {
  const { ip, ip6, mtu, offloads = {}, services = {}, agent } = settings;
  const words: string[] = [];
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined) words.push(`unipath.${name}=${value}`);
  };
  set('ip', ip === undefined ? ip : word(ip));
  set('ip6', ip6 === undefined ? ip6 : word(ip6));
  set('mtu', mtu?.toString());
  const pairs = Object.entries(offloads);
  if (pairs.length > 0) set('offloads', pairs.map(([name, state]) => `${word(name)}:${state}`).join(','));
  for (const [name, argv] of Object.entries(services)) set('service', [name, ...argv].map(word).join(','));
  set('agent', agent === undefined ? agent : word(agent));
  return words.join(' ');
}
