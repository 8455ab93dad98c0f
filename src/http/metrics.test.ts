import { expect, it } from 'vitest';
import { createMetrics } from './metrics.js';

it('hedges are counted by the vendors that were asked and the one whose answer was taken', async () => {
  const metrics = createMetrics({ activeCalls: () => 0, maxCalls: () => 1 });
  metrics.modelHedged({ from: 'openai', to: 'groq', winner: 'second' });
  metrics.modelHedged({ from: 'openai', to: 'groq', winner: 'second' });
  metrics.modelHedged({ from: 'openai', to: 'groq', winner: 'none' });
  const text = await metrics.registry.getSingleMetricAsString('agent_stream_model_hedges_total');
  expect(text).toContain('agent_stream_model_hedges_total{from="openai",to="groq",winner="second"} 2');
  expect(text).toContain('agent_stream_model_hedges_total{from="openai",to="groq",winner="none"} 1');
});
