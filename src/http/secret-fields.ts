import { z } from 'zod';

/** Characters of a secret that are shown, of secrets long enough that they reveal nothing. */
const shownCharacters = 4;
const minLengthToShow = 12;

const fieldsSchema = z.object({ properties: z.record(z.string(), z.object({ secret: z.boolean().optional() })) });

/** Names of the fields of a credentials schema that carry `.meta({ secret: true })`. Null where the schema has no plain fields. */
export function secretFieldsOf(schema: z.ZodType): ReadonlySet<string> | null {
  const parsed = fieldsSchema.safeParse(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
  if (!parsed.success) return null;
  return new Set(Object.entries(parsed.data.properties).flatMap(([name, { secret }]) => (secret === true ? [name] : [])));
}

/** A secret as the API shows it: `****` and, of long ones, the last four characters. */
export function maskSecret(value: unknown): string {
  const isShown = typeof value === 'string' && value.length >= minLengthToShow;
  return `****${isShown ? value.slice(-shownCharacters) : ''}`;
}

/** Credentials with their secrets masked. `secretFields` null: everything is treated as secret. */
export function maskSecrets(
  credentials: Readonly<Record<string, unknown>>,
  secretFields: ReadonlySet<string> | null,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(credentials).map(([name, value]) => {
      const isShown = value === null || value === undefined || (secretFields !== null && !secretFields.has(name));
      return [name, isShown ? value : maskSecret(value)];
    }),
  );
}

/** Drops fields that hold the mask of the stored value: a form sent back unchanged must not store the mask. */
export function withoutMasked(
  sent: Readonly<Record<string, unknown>>,
  stored: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(sent).filter(([name, value]) => !(name in stored) || value !== maskSecret(stored[name])));
}
