/** Which kernel modules a guest loads, in which order: read from the kernel's own modules.dep, not known by heart. */

/** Module names differ from file names in dashes only. */
const moduleName = (path: string): string =>
  path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');

/**
 * The files of the wanted modules and of all that they need, each after what it needs.
 * @param dependencies text of modules.dep: "FILE: FILE FILE", what is needed first at the end
 * @param builtin text of modules.builtin: needs no loading
 * @throws Error naming a module that this kernel does not have
 */
export function loadOrder(dependencies: string, builtin: string, wanted: readonly string[]): string[] {
  const files = new Map<string, readonly string[]>();
  for (const line of dependencies.split('\n')) {
    const [file, needed = ''] = line.split(':');
    if (file === undefined || file === '') continue;
    files.set(moduleName(file), [...needed.split(' ').filter((each) => each !== '').reverse(), file]);
  }
  const inKernel = new Set(builtin.split('\n').map(moduleName));
  const order = new Set<string>();
  for (const name of wanted) {
    const chain = files.get(name.replaceAll('-', '_'));
    if (chain !== undefined) for (const file of chain) order.add(file);
    else if (!inKernel.has(name.replaceAll('-', '_'))) throw new Error(`the guests' kernel has no module ${name}`);
  }
  return [...order];
}
