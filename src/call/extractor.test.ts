import { describe, expect, it } from 'vitest';
import { createScriptedModel, type PassScript } from '../../test/support/virtual/scripted-model.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import type { ExtractionRequest } from '../workflow/engine.js';
import { createExtractor, EXTRACTION_LIMIT_MS, MAX_RUNNING_EXTRACTIONS } from './extractor.js';

const requestOf = (nodeId: string): ExtractionRequest => ({ nodeId, messages: [], tools: [], variables: [{ name: 'x', type: 'number', prompt: '' }] });
const told = (x: number, firstTokenMs: number): PassScript => ({ tools: ['record_variables'], argumentsJson: `{"x":${x}}`, firstTokenMs });

function extractorOf(...passes: readonly PassScript[]) {
  const clock = createVirtualClock();
  const model = createScriptedModel(clock, passes);
  const reports: string[] = [];
  const extractor = createExtractor({
    model,
    clock,
    listener: {
      onExtracted: (nodeId, { values }) => void reports.push(`${nodeId} ${JSON.stringify(values)}`),
      onExtractionFailed: (nodeId, { code }) => void reports.push(`${nodeId} ${code}`),
      onModelUsage: () => undefined,
      onFault: (error) => void reports.push(String(error)),
    },
  });
  return { clock, model, reports, extractor };
}

describe('an extractor', () => {
  it('does not let an older answer that comes late replace a newer one', async () => {
    const { clock, reports, extractor } = extractorOf(told(1, 2000), told(2, 500));
    extractor.start(requestOf('a'));
    extractor.start(requestOf('b'));
    await clock.advance(3000);
    expect(reports).toEqual(['b {"x":2}', 'a {}']);
  });

  it('gives a request up for a newer one of its node, without a word', async () => {
    const { clock, model, reports, extractor } = extractorOf({ text: '', hangs: true }, told(2, 500));
    extractor.start(requestOf('a'));
    await clock.advance(1000);
    extractor.start(requestOf('a'));
    await clock.advance(1000);
    expect(reports).toEqual(['a {"x":2}']);
    expect(model.openPasses).toBe(0);
  });

  it('has few under way, each for a limited time', async () => {
    const { clock, model, reports, extractor } = extractorOf(...Array.from({ length: MAX_RUNNING_EXTRACTIONS }, (): PassScript => ({ text: '', hangs: true })));
    for (let index = 0; index <= MAX_RUNNING_EXTRACTIONS; index += 1) extractor.start(requestOf(`n${index}`));
    await clock.advance(EXTRACTION_LIMIT_MS + 1000);
    expect(model.requests).toHaveLength(MAX_RUNNING_EXTRACTIONS);
    expect(reports.sort()).toEqual(['n0 vendor-unreachable', 'n1 vendor-unreachable', 'n2 vendor-unreachable', 'n3 vendor-unreachable', 'n4 conflict']);
    expect(model.openPasses).toBe(0);
  });

  it('gives up an endless answer, and finishes at once where nothing is under way', async () => {
    const { clock, reports, extractor } = extractorOf({ text: `${'word '.repeat(500)}`, isEndless: true, perWordMs: 1 });
    await extractor.finish(4000);
    extractor.start(requestOf('a'));
    await clock.advance(14_000);
    expect(reports).toEqual(['a vendor-failed']);
  });
});
