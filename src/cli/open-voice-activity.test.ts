import { describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.js';
import { silentLog, type Log } from '../base/log.js';
import { openVoiceActivity, whyNoSilero } from './open-voice-activity.js';

describe('a node’s voice activity', () => {
  it('is the energy detector where that is asked for, without a word', async () => {
    const lines: string[] = [];
    const log: Log = { ...silentLog, info: (message) => lines.push(message), warn: (message) => lines.push(message) };
    const opened = await openVoiceActivity({ voiceActivity: 'energy', maxCalls: 1 }, { clock: systemClock, log });
    expect(opened.name).toBe('energy');
    expect(lines).toEqual([]);
    await opened.close();
  });

  it('is Silero by default where it loads, else the energy detector, which the log tells once', async () => {
    const lines: string[] = [];
    const log: Log = { ...silentLog, info: (message) => lines.push(message) };
    const opened = await openVoiceActivity({ voiceActivity: 'auto', maxCalls: 1 }, { clock: systemClock, log });
    expect([opened.name, lines.length]).toEqual(opened.name === 'silero' ? ['silero', 0] : ['energy', 1]);
    await opened.close();
  });

  it('names the reason in one line', () => {
    expect(whyNoSilero(new Error("Cannot find module 'onnxruntime-node'\nRequire stack:\n- /x"))).toBe('its optional packages are not installed');
    expect(whyNoSilero(new Error('libonnxruntime.so.1: cannot open shared object file\n  at x'))).toBe('libonnxruntime.so.1: cannot open shared object file');
  });
});
