import { z } from 'zod';
import { connectionHeaders } from '../reserved-headers.js';
import { parseTemplate, invalidExpressions } from '../template.js';
import { parameterNameSchema } from './tool-parameters.js';

const MAX_URL_LENGTH = 2000;
const MAX_HEADERS = 30;

/** A text with `{{variables}}` of the call. */
export const templateSchema = z
  .string()
  .max(8000)
  .refine((text) => invalidExpressions(parseTemplate(text)).length === 0, 'holds an expression that is neither a variable nor a known built-in')
  .meta({ format: 'template' });

/** Headers whose value is a secret, or that say how the request is framed. */
const refusedHeaders: ReadonlySet<string> = new Set([...connectionHeaders, 'authorization', 'cookie']);

/** What a URL is before its path: placeholders and templates may not change whom it reaches. */
function isUsableUrl(text: string): boolean {
  const parsed = URL.canParse(text.replaceAll(/\{\w[\w-]*\}/g, 'x')) ? new URL(text.replaceAll(/\{\w[\w-]*\}/g, 'x')) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.password !== '') return false;
  const origin = /^https?:\/\/[^/?#]*/i.exec(text)?.[0] ?? '{';
  return !/[{}]/.test(origin) && !text.includes('{{');
}

/** Where a request goes. */
export const requestUrlSchema = z
  .string()
  .trim()
  .max(MAX_URL_LENGTH)
  .refine(isUsableUrl, 'must be an http(s):// URL without credentials, with {placeholders} in its path and query alone')
  .meta({ description: 'May hold {name} in its path and query: the argument or preset of that name, percent-encoded.' });

/** Headers of a request, as they stand. */
export const headersSchema = z
  .record(z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,100}$/, 'is no header name'), z.string().max(2000).regex(/^[\t\x20-\x7e]*$/, 'must be printable ASCII'))
  .refine((headers) => Object.keys(headers).length <= MAX_HEADERS, `holds more than ${MAX_HEADERS} headers`)
  .refine((headers) => Object.keys(headers).every((name) => !refusedHeaders.has(name.toLowerCase())), 'holds a header that a tool may not set: secrets belong in its credential')
  .default({})
  .meta({ description: 'Headers without secrets: those belong in the credential.' });

/** Arguments that the model neither sees nor replaces. */
export const presetParametersSchema = z
  .array(
    z.strictObject({
      name: parameterNameSchema,
      value: templateSchema,
      required: z.boolean().default(false).meta({ description: 'The tool is not called where the value comes out empty.' }),
    }),
  )
  .max(50)
  .default([])
  .meta({ description: 'Arguments from the call’s variables; the model neither sees nor replaces them.' });
