/** The configuration file as a JSON Schema, for editors and checkers, from the definitions that it is read by. Pure. */
import { z } from 'zod';
import { choicesOf, configSchema } from './schema.js';

export type JsonSchema = z.core.JSONSchema.JSONSchema;

/** Draft of JSON Schema. */
const DRAFT = 'http://json-schema.org/draft-07/schema#';

function schemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    reused: 'inline',
    override: ({ zodSchema, jsonSchema }) => {
      const choices = choicesOf(zodSchema);
      if (choices !== null) jsonSchema.anyOf = choices.map(schemaOf);
    },
  }) as JsonSchema;
  return json;
}

/** What it cannot say - names that are used twice, an adapter that there is not - only `unipath config check` tells. */
export function configJsonSchema(): JsonSchema {
  return { $schema: DRAFT, title: 'unipath.yaml', description: 'Configuration of unipathd', ...schemaOf(configSchema) };
}
