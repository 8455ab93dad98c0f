import { isRecord, parseJsonRecord } from '../../base/json.js';
import type { ModelTool } from '../../speech/language-model.js';
import type { Variables } from '../engine.js';
import { copyVariables } from '../variables.js';

/** Longest arguments that are read, characters. */
const MAX_ARGUMENTS_LENGTH = 16_000;
/** Most problems told at once. */
const MAX_ARGUMENT_PROBLEMS = 5;

/** A call's arguments, or what is wrong with them, in words for the model. */
export type ReadArguments = { readonly ok: true; readonly values: Variables } | { readonly ok: false; readonly message: string };

/** Deepest nesting that is checked; what lies deeper is the server's to refuse. */
const MAX_CHECKED_DEPTH = 6;

type Schema = Readonly<Record<string, unknown>>;

const typeChecks: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  object: isRecord,
  array: Array.isArray,
  null: (value) => value === null,
};

const typesOf = ({ type }: Schema): readonly string[] => [type].flat().filter((name) => typeof name === 'string');

/** What is wrong with a value, by its types, `enum`, and what it holds (JSON Schema 2020-12, validation §6); other keywords are not read. */
function valueProblems(value: unknown, schema: unknown, name: string, depth: number): readonly string[] {
  if (!isRecord(schema) || depth > MAX_CHECKED_DEPTH) return [];
  const types = typesOf(schema);
  if (types.length > 0 && !types.some((type) => typeChecks[type]?.(value) !== false)) return [`"${name}" must be of type ${types.join(' or ')}`];
  const { enum: choices, items } = schema;
  if (Array.isArray(choices) && !choices.some((choice) => JSON.stringify(choice) === JSON.stringify(value)))
    return [`"${name}" must be one of: ${JSON.stringify(choices).slice(1, -1).slice(0, 300)}`];
  if (Array.isArray(value)) return value.flatMap((item, index) => valueProblems(item, items, `${name}.${index}`, depth + 1));
  return isRecord(value) ? fieldProblems(value, schema, `${name}.`, depth + 1) : [];
}

function fieldProblems(values: Schema, { properties, required }: Schema, prefix: string, depth: number): readonly string[] {
  const missing = (Array.isArray(required) ? required : []).map(String).filter((name) => !Object.hasOwn(values, name));
  const declared = isRecord(properties) ? Object.entries(properties) : [];
  return [
    ...missing.map((name) => `"${prefix}${name}" is missing`),
    ...declared.flatMap(([name, schema]) => (Object.hasOwn(values, name) ? valueProblems(values[name], schema, `${prefix}${name}`, depth) : [])),
  ];
}

/** Null stands for a property that is left out, where the schema does not ask for it. */
const takesNull = (schema: unknown): boolean => isRecord(schema) && typesOf(schema).includes('null');

const takesOthers = ({ additionalProperties: others }: Schema): boolean => others === true || isRecord(others);

/**
 * Reads the arguments the model wrote: a JSON object whose declared properties are there and of their types. Properties that the schema
 * does not ask for, null and prototype keys are dropped; blank text counts as `{}`.
 */
export function readArguments({ parameters }: ModelTool, argumentsJson: string): ReadArguments {
  if (argumentsJson.length > MAX_ARGUMENTS_LENGTH) return { ok: false, message: 'the arguments are too long' };
  const record = parseJsonRecord(argumentsJson.trim() === '' ? '{}' : argumentsJson);
  if (record === null) return { ok: false, message: 'the arguments are not a JSON object' };
  const declared = isRecord(parameters['properties']) ? parameters['properties'] : {};
  const known = Object.entries(record).filter(([name, value]) =>
    Object.hasOwn(declared, name) ? value !== null || takesNull(declared[name]) : value !== null && takesOthers(parameters),
  );
  const values = copyVariables(Object.fromEntries(known));
  const problems = fieldProblems(values, parameters, '', 0);
  return problems.length === 0 ? { ok: true, values } : { ok: false, message: problems.slice(0, MAX_ARGUMENT_PROBLEMS).join('; ') };
}
