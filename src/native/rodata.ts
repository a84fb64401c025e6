/** Sets `const volatile` variables of an opened object by name. */

export interface Variable {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/**
 * Puts the values of named variables into a copy of the section.
 * @throws RangeError for a variable that is not there, or of another size; the message lists those that are
 */
export function patchVariables(section: Buffer, variables: readonly Variable[], values: Readonly<Record<string, Buffer>>): Buffer {
  const patched = Buffer.from(section);
  for (const [name, value] of Object.entries(values)) {
    const variable = variables.find((candidate) => candidate.name === name);
    if (variable === undefined) {
      throw new RangeError(`no variable "${name}" in .rodata; there are: ${variables.map((known) => known.name).join(', ')}`);
    }
    if (value.length !== variable.size) throw new RangeError(`variable "${name}" has ${variable.size} bytes, not ${value.length}`);
    value.copy(patched, variable.offset);
  }
  return patched;
}
