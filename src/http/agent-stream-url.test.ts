import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStreamUrl, repairPlus } from './agent-stream-url.js';

const uuid = '6f1d7a52-3c1e-4a51-9d0b-2f4f8a3c9e10';
const base = '/api/v1/agent-stream';

describe('parseStreamUrl', () => {
  it('reads the query form', () => {
    const request = parseStreamUrl(`${base}/${uuid}?provider=cloudonix&Domain=acme&callId=c1&from=+15551234567&to=%2B15557654321&tenant=t7`);
    expect(request).toMatchObject({
      agentUuid: uuid,
      streamToken: null,
      provider: 'cloudonix',
      callId: 'c1',
      from: '+15551234567',
      to: '+15557654321',
      callVariables: { tenant: 't7' },
    });
    expect(request?.query['Domain']).toBe('acme');
  });

  it('reads the path form, with and without token', () => {
    expect(parseStreamUrl(`${base}/cloudonix/${uuid}`)).toMatchObject({ provider: 'cloudonix', agentUuid: uuid, streamToken: null });
    const token = 'A'.repeat(22);
    expect(parseStreamUrl(`${base}/cloudonix/${uuid}/${token}`)).toMatchObject({ streamToken: token });
    expect(parseStreamUrl(`${base}/${uuid}/${token}?provider=cloudonix`)).toMatchObject({ streamToken: token, provider: 'cloudonix' });
  });

  it('takes CallSid where callId is missing or empty', () => {
    expect(parseStreamUrl(`${base}/${uuid}?callId=&CallSid=CA1`)?.callId).toBe('CA1');
    expect(parseStreamUrl(`${base}/${uuid}?callId=a&CallSid=CA1`)?.callId).toBe('a');
  });

  it.each([
    ['upper case', `${base}/cloudonix/${uuid.toUpperCase()}`, uuid],
    ['a trailing slash', `${base}/cloudonix/${uuid}/`, uuid],
    ['a malformed UUID', `${base}/cloudonix/not-a-uuid`, null],
    ['a truncated UUID', `${base}/${uuid.slice(0, 30)}`, null],
    ['a null byte', `${base}/cloudonix/${uuid}%00`, null],
    ['an encoded UUID', `${base}/cloudonix/%36f1d7a52-3c1e-4a51-9d0b-2f4f8a3c9e10`, null],
  ])('%s names the agent or none', (_name, url, agentUuid) => {
    expect(parseStreamUrl(url)?.agentUuid).toBe(agentUuid);
  });

  it.each([
    ['the bare prefix', `${base}/`],
    ['four segments', `${base}/cloudonix/${uuid}/${'A'.repeat(22)}/more`],
    ['an empty segment', `${base}//cloudonix/${uuid}`],
    ['another path', '/api/v1/agents'],
    ['an endless URL', `${base}/${uuid}?x=${'y'.repeat(9000)}`],
  ])('%s is no stream URL', (_name, url) => {
    expect(parseStreamUrl(url)).toBeNull();
  });

  it('keeps prototype keys out', () => {
    const request = parseStreamUrl(`${base}/${uuid}?__proto__=x&constructor=y`);
    expect(Object.getPrototypeOf(request?.query)).toBeNull();
    expect(request?.query['__proto__']).toBeUndefined();
  });

  it('keeps what a caller may have put into a value harmless', () => {
    const hostile = encodeURIComponent('\u001b[2J+1\r\nX: y\u202e\u0000');
    expect(parseStreamUrl(`${base}/${uuid}?from=${hostile}&to=%00&callId=${hostile}&note=${hostile}`)).toMatchObject({
      from: '+1X: y',
      to: undefined,
      callId: '+1X: y',
      callVariables: { note: '+1X: y' },
    });
    expect(parseStreamUrl(`${base}/${uuid}?from=${'1'.repeat(2000)}`)?.from).toHaveLength(256);
  });

  it('takes no built-in name for a call variable', () => {
    const names = ['provider', 'Direction', 'caller_number', 'called_number', 'agent_uuid', 'session', 'call_id', 'constructor', '__proto__', 'callid'];
    const request = parseStreamUrl(`${base}/${uuid}?${names.map((name) => `${name}=x`).join('&')}&tenant=t7`);
    expect(request?.callVariables).toEqual({ tenant: 't7' });
  });

  it('treats a token that cannot be one as a wrong one', () => {
    expect(parseStreamUrl(`${base}/cloudonix/${uuid}/short`)?.streamToken).toBe('');
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => void parseStreamUrl(`${base}/${text}`)), { numRuns: 3000 });
  });
});

describe('repairPlus', () => {
  it.each([
    [' 15551234567', '+15551234567'],
    ['+15551234567', '+15551234567'],
    ['anonymous', 'anonymous'],
    ['  ', undefined],
    [undefined, undefined],
  ])('%j becomes %j', (value, expected) => {
    expect(repairPlus(value)).toBe(expected);
  });
});
