import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { AppServices } from './services.js';

type TransformObject = NonNullable<FastifyDynamicSwaggerOptions['transformObject']>;

const problemResponse = {
  description: 'Problem (RFC 9457)',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

/** As much of the document as is touched here: the libraries' type is a union over versions of the specification. */
interface Document {
  components?: { schemas?: Record<string, unknown> };
  paths?: Record<string, Record<string, { responses?: Record<string, unknown> }>>;
}

/** Each named schema is emitted as a request's and as an answer's; only those in use are kept. */
function withoutUnusedSchemas(document: Document): Document {
  const schemas: Record<string, unknown> = { ...document.components?.schemas };
  for (let isChanged = true; isChanged; ) {
    const text = JSON.stringify([document.paths, schemas]);
    const unused = Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
    for (const name of unused) delete schemas[name];
    isChanged = unused.length > 0;
  }
  return { ...document, components: { ...document.components, schemas } };
}

/** Every operation can answer a problem: said once here instead of at each route. */
function describeProblems(document: Document): Document {
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path)) operation.responses = { ...operation.responses, default: problemResponse };
  }
  return withoutUnusedSchemas(document);
}

const transformObject: TransformObject = (source) => {
  const document: unknown = jsonSchemaTransformObject(source);
  return describeProblems(document as Document);
};

/** The OpenAPI 3.1 document, generated from the schemas in use. */
export function openApiOptions({ version }: Pick<AppServices, 'version'>): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Agent Stream',
        version,
        description: 'One WebSocket URL that answers phone calls: agents, telephony configurations, runs and live control.',
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        },
      },
      security: [{ bearer: [] }, { apiKey: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject,
  };
}
