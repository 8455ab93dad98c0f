import { parentPort } from 'node:worker_threads';
import type { Chunk } from './chunk.js';
import { createPassageIndex, type PartVector, type Passage, type PassageIndex, type PassageQuery } from './passage-index.js';

/** What the thread is asked to do with one index; each is answered, but for `close`. */
export type IndexCommand =
  | { readonly type: 'add'; readonly document: { readonly uuid: string; readonly name: string }; readonly chunks: readonly Chunk[] }
  | { readonly type: 'add-vectors'; readonly documentUuid: string; readonly vectors: readonly PartVector[] }
  | { readonly type: 'search'; readonly query: PassageQuery }
  | { readonly type: 'close' };

/** A command as it is sent. */
export interface IndexRequest {
  readonly requestId: number;
  /** The first command makes the index. */
  readonly indexId: number;
  readonly command: IndexCommand;
}

/** The answer to a command. */
export type IndexAnswer = { readonly requestId: number } & ({ readonly passages: readonly Passage[] } | { readonly problem: string });

const indexes = new Map<number, PassageIndex>();

function indexOf(indexId: number): PassageIndex {
  const index = indexes.get(indexId) ?? createPassageIndex();
  indexes.set(indexId, index);
  return index;
}

function carryOut(indexId: number, command: Exclude<IndexCommand, { type: 'close' }>): readonly Passage[] {
  const index = indexOf(indexId);
  if (command.type === 'search') return index.search(command.query);
  if (command.type === 'add') index.add(command.document, command.chunks);
  else index.addVectors(command.documentUuid, command.vectors);
  return [];
}

function answerTo({ requestId, indexId, command }: IndexRequest): IndexAnswer | null {
  if (command.type === 'close') {
    indexes.delete(indexId);
    return null;
  }
  try {
    return { requestId, passages: carryOut(indexId, command) };
  } catch (error) {
    return { requestId, problem: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', (request: IndexRequest) => {
  const answer = answerTo(request);
  if (answer !== null) parentPort?.postMessage(answer);
});
