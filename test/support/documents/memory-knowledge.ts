import { systemClock } from '../../../src/base/clock.js';
import { createLocalIndexHost } from '../../../src/knowledge/index-host.js';
import { createKnowledgeBase, type KnowledgeBase, type KnowledgePorts } from '../../../src/knowledge/knowledge.js';

/** A knowledge base on the thread of the test. Default: real time, no embedding model. */
export function memoryKnowledge(source: KnowledgePorts['source'], ports: Partial<KnowledgePorts> = {}): KnowledgeBase {
  return createKnowledgeBase({ source, host: createLocalIndexHost(), clock: systemClock, ...ports });
}
