import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defaultSettings, parseSettings } from './settings.js';

const problemsOf = (input: unknown, models?: z.ZodType) => {
  const result = parseSettings(input, models);
  return result.ok ? [] : result.problems.map(({ field, message }) => [field, message]);
};

describe('parseSettings', () => {
  it('fills every default in', () => {
    expect(parseSettings(undefined)).toEqual({ ok: true, settings: defaultSettings });
    expect(parseSettings({})).toEqual({ ok: true, settings: defaultSettings });
    expect(defaultSettings).toMatchObject({
      max_call_duration: 300,
      max_duration_warning_seconds: 15,
      max_user_idle_timeout: 10,
      idle_ladder: { checks: ['Are you still there?'] },
      turn: { endpointing: { min_delay_ms: 300, max_delay_ms: 1200 }, interruption: { enabled: true, resume: true } },
      recording: { enabled: true },
      language: 'en',
      dictionary: [],
      limits: {},
    });
  });

  it('keeps defaults beside what is given, at any depth', () => {
    const result = parseSettings({ turn: { interruption: { min_words: 2 } }, texts: { goodbye: ' Tschüss. ' } });
    expect(result.ok && result.settings.turn.interruption).toMatchObject({ min_words: 2, enabled: true });
    expect(result.ok && result.settings.texts).toMatchObject({ goodbye: 'Tschüss.', apology: defaultSettings.texts.apology });
  });

  const anyText: unknown = expect.any(String);
  it.each([
    [{ max_call_durations: 5 }, 'max_call_durations', 'unknown field: max_call_durations'],
    [{ turn: { interruption: { minWords: 1 } } }, 'turn.interruption.minWords', 'unknown field: minWords'],
    [{ voicemail_detection: { use_workflow_llm: true } }, 'voicemail_detection.use_workflow_llm', 'unknown field: use_workflow_llm'],
    [{ ambient_noise: { enabled: false } }, 'ambient_noise', 'not supported yet: ambient_noise'],
    [{ recording: { retention_days: 0 } }, 'recording.retention_days', anyText],
    [{ recording: { retention_days: 3651 } }, 'recording.retention_days', anyText],
    [{ context_compaction: true }, 'context_compaction', 'not supported yet: context_compaction'],
    [{ turn: { endpointing: { min_delay_ms: 2000, max_delay_ms: 500 } } }, 'turn.endpointing.max_delay_ms', 'must not be less than min_delay_ms'],
    [{ max_call_duration: 10 }, 'max_duration_warning_seconds', 'must be less than max_call_duration'],
    [{ language: 'English please' }, 'language', 'must be a language tag such as en or pt-BR'],
  ])('refuses %j', (input, field, message) => {
    expect(problemsOf(input)).toEqual([[field, message]]);
  });

  it.each([{ max_call_duration: '300' }, { max_call_duration: 1e9 }, { dictionary: 'a,b' }, { models: [] }, { limits: { concurrent_calls: 0 } }, 'text', 7, []])(
    'refuses %j',
    (input) => {
      expect(problemsOf(input)).toHaveLength(1);
    },
  );

  it('asks the given schema about models', () => {
    const models = z.strictObject({ llm: z.strictObject({ vendor: z.enum(['builtin']) }) });
    expect(problemsOf({ models: { llm: { vendor: 'builtin' } } }, models)).toEqual([]);
    expect(problemsOf({ models: { llm: { vendor: 'nobody' } } }, models).map(([field]) => field)).toEqual(['models.llm.vendor']);
  });
});
