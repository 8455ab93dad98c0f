import { z } from 'zod';
import { passagesText } from '../../knowledge/passages-text.js';
import { toolKind } from './tool-kind.js';

/** A search takes milliseconds, with an embedding model a second at most; the first one of a set waits until it is indexed. */
const TIMEOUT_MS = 5000;

const configSchema = z.strictObject({ documentUuids: z.array(z.string()).min(1) });

/** Searches the documents of a node. */
export const knowledgeKind = toolKind({
  readConfig: (config) => configSchema.parse(config),
  timeoutMs: () => TIMEOUT_MS,
  async run({ config, arguments: { query } }, { searchDocuments, signal }) {
    const { passages, ranking, failure } = await searchDocuments(config.documentUuids, String(query), signal);
    const citations = passages.map(({ text: _text, ...citation }) => citation);
    return { text: passagesText(passages), isError: false, retrieval: { citations, ranking, failure } };
  },
});
