/** C names to TypeScript names. */

/** vnic_slot -> VnicSlot */
export function pascalCase(name: string): string {
  return name.split('_').filter((word) => word !== '').map((word) => word[0]?.toUpperCase() + word.slice(1)).join('');
}

/** tap_ifindex -> tapIfindex */
export function camelCase(name: string): string {
  const pascal = pascalCase(name);
  return (pascal[0] ?? '').toLowerCase() + pascal.slice(1);
}

/** The words, each with its underscore, that all names begin with; '' when there is none, or only one name. */
export function commonPrefix(names: readonly string[]): string {
  const first = names[0] ?? '';
  let prefix = '';
  for (let at = first.indexOf('_'); names.length > 1 && at >= 0; at = first.indexOf('_', at + 1)) {
    const longer = first.slice(0, at + 1);
    if (!names.every((name) => name.startsWith(longer) && /^[A-Za-z]/.test(name.slice(longer.length)))) break;
    prefix = longer;
  }
  return prefix;
}
