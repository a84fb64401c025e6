/** Which frames the RSS hash covers, and over what: the bits of enum hash_type by their names. Pure. */
import { nearName } from './near_name.js';

/** In the order of their bits, the lowest first; proven equal to the contract's by a test. */
export const HASH_TYPE_NAMES = ['ipv4', 'tcp_ipv4', 'udp_ipv4', 'sctp_ipv4', 'ipv6', 'tcp_ipv6', 'udp_ipv6', 'sctp_ipv6'] as const;

/** Names of the bits that are set. */
export function hashTypeNames(types: number): string[] {
  return HASH_TYPE_NAMES.filter((_, bit) => (types & (1 << bit)) !== 0);
}

/** Why this is no name of a hash type, with what may be meant; null: it is one. */
export function hashTypeProblem(name: string): string | null {
  if ((HASH_TYPE_NAMES as readonly string[]).includes(name)) return null;
  const near = nearName(name, HASH_TYPE_NAMES);
  return `"${name}" is no hash type; ${near === null ? `they are: ${HASH_TYPE_NAMES.join(', ')}` : `did you mean "${near}"?`}`;
}

/** Bits of the names. @throws RangeError for a name that is none */
export function hashTypesOf(names: readonly string[]): number {
  return names.reduce((types, name) => {
    const problem = hashTypeProblem(name);
    if (problem !== null) throw new RangeError(problem);
    return types | (1 << (HASH_TYPE_NAMES as readonly string[]).indexOf(name));
  }, 0);
}
