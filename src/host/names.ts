/** What may be the name of a netdev or of a network namespace; the kernel's rules, and what keeps a name from being an option. */

/** As dev_valid_name() in net/core/dev.c, but printable ASCII only and not starting with what a tool could take for an option. */
const INTERFACE_PATTERN = /^[A-Za-z0-9_.+@][A-Za-z0-9_.+@~#-]{0,14}$/;
const NETNS_PATTERN = /^[A-Za-z0-9_.+][A-Za-z0-9_.+-]{0,62}$/;

/** null when `name` can be a netdev's name, else why not. */
export function interfaceNameProblem(name: string): string | null {
  if (name.length > 15) return `"${name}" is too long for a network interface: at most 15 characters`;
  if (name === '.' || name === '..' || !INTERFACE_PATTERN.test(name)) return `"${name}" is not a name of a network interface`;
  return null;
}

/** null when `name` can be the name of a network namespace as `ip netns` keeps them, else why not. */
export function netnsNameProblem(name: string): string | null {
  if (name === '.' || name === '..' || !NETNS_PATTERN.test(name)) return `"${name}" is not a name of a network namespace`;
  // `ip link set netns 123` means the namespace of process 123 when there is none of that name.
  if (/^[0-9]+$/.test(name)) return `"${name}" would be taken for a process id; a network namespace needs a letter in its name`;
  return null;
}

/** @throws RangeError */
export function checkInterfaceName(name: string): string {
  const problem = interfaceNameProblem(name);
  if (problem !== null) throw new RangeError(problem);
  return name;
}

/** @throws RangeError */
export function checkNetnsName(name: string): string {
  const problem = netnsNameProblem(name);
  if (problem !== null) throw new RangeError(problem);
  return name;
}
