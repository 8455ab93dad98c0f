import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCallback, parseTransferCallback, verifyCallback } from './callbacks.js';

const credentials = { domain_id: 'acme', bearer_token: 'XItoken', requests_key: 'requests-key' };
const body = Buffer.from('{"status":"answer"}');
const nowMs = Date.UTC(2026, 0, 1, 12);
const sign = (key: string, encoding: 'hex' | 'base64') => createHmac('sha256', key).update(body).digest(encoding);

describe('verifyCallback', () => {
  it.each([
    ['the key', { 'x-cx-apikey': 'requests-key' }, true],
    ['the key as bearer', { authorization: 'Bearer requests-key' }, true],
    ['the key in lower-case scheme', { authorization: 'bearer requests-key ' }, true],
    ['both, alike', { 'x-cx-apikey': 'requests-key', authorization: 'Bearer requests-key' }, true],
    ['a signature', { 'x-cloudonix-signature': sign('requests-key', 'hex') }, true],
    ['a prefixed signature', { 'x-cloudonix-signature': `sha256=${sign('requests-key', 'hex')}` }, true],
    ['a signature in base64', { 'x-cloudonix-signature': sign('requests-key', 'base64') }, true],
    ['nothing', {}, false],
    ['an empty key', { 'x-cx-apikey': '' }, false],
    ['a wrong key', { 'x-cx-apikey': 'requests-kez' }, false],
    ['the API key where a requests key is stored', { 'x-cx-apikey': 'XItoken' }, false],
    ['one right and one wrong', { 'x-cx-apikey': 'requests-key', authorization: 'Bearer nope' }, false],
    ['a wrong signature beside the right key', { 'x-cx-apikey': 'requests-key', 'x-cloudonix-signature': sign('other', 'hex') }, false],
    ['an empty signature', { 'x-cx-apikey': 'requests-key', 'x-cloudonix-signature': '' }, false],
    ['another scheme', { authorization: 'Basic requests-key' }, false],
  ])('%s', (_name, headers, isValid) => expect(verifyCallback(headers, body, credentials, nowMs)).toBe(isValid));

  it('expects the API key where no requests key is stored, and nothing where neither is', () => {
    expect(verifyCallback({ 'x-cx-apikey': 'XItoken' }, body, { domain_id: 'acme', bearer_token: 'XItoken' }, nowMs)).toBe(true);
    expect(verifyCallback({ 'x-cx-apikey': '' }, body, { domain_id: 'acme' }, nowMs)).toBe(false);
    expect(verifyCallback({ 'x-cx-apikey': 'undefined' }, body, { domain_id: 'acme' }, nowMs)).toBe(false);
  });

  it('does not accept a signature of another body', () => {
    expect(verifyCallback({ 'x-cloudonix-signature': sign('requests-key', 'hex') }, Buffer.from('{}'), credentials, nowMs)).toBe(false);
  });
});

describe('the time of a signed post', () => {
  const stamped = (timestamp: string, signedTimestamp = timestamp) => ({
    'x-cloudonix-timestamp': timestamp,
    'x-cloudonix-signature': `sha256=${createHmac('sha256', 'requests-key').update(`${signedTimestamp}.${body.toString()}`).digest('hex')}`,
  });
  const isAccepted = (headers: Record<string, string>) => verifyCallback(headers, body, credentials, nowMs);
  const second = nowMs / 1000;

  it.each([
    ['now', String(second), true],
    ['in milliseconds', String(nowMs - 1000), true],
    ['299 s ago', String(second - 299), true],
    ['301 s ago', String(second - 301), false],
    ['a day ago', String(second - 86_400), false],
    ['ahead, as far as clocks differ', String(second + 299), true],
    ['301 s ahead', String(second + 301), false],
    ['empty', '', false],
    ['no number', 'yesterday', false],
    ['beyond all time', '9'.repeat(400), false],
  ])('%s', (_name, timestamp, isValid) => expect(isAccepted(stamped(timestamp))).toBe(isValid));

  it('cannot be moved, nor left out', () => {
    expect(isAccepted(stamped(String(second), String(second - 301)))).toBe(false);
    const { 'x-cloudonix-signature': signature } = stamped(String(second - 301));
    expect(isAccepted({ 'x-cloudonix-signature': signature })).toBe(false);
  });

  it('counts also where only the body is signed', () => {
    const signature = { 'x-cloudonix-signature': sign('requests-key', 'hex') };
    expect(isAccepted({ ...signature, 'x-cloudonix-timestamp': String(second) })).toBe(true);
    expect(isAccepted({ ...signature, 'x-cloudonix-timestamp': String(second - 301) })).toBe(false);
  });
});

describe('parseCallback', () => {
  it('understands a session update, alone or in a list', () => {
    const post = { token: 't1', status: 'Ringing', domain: 'Acme', callStartTime: '1700000000000' };
    const expected = {
      kind: 'session-status',
      sessionId: 't1',
      account: 'acme.cloudonix.net',
      status: 'ringing',
      isFinal: false,
      details: { call_start_time: '1700000000000' },
    };
    expect(parseCallback(post)).toEqual(expected);
    expect(parseCallback([post])).toEqual(expected);
  });

  it.each(['noanswer', 'BUSY', 'cancel', 'nocredit', 'external', 'error', 'congestion', 'failed'])('takes %s for final', (status) => {
    expect(parseCallback({ token: 't', status })).toMatchObject({ isFinal: true });
  });

  it('takes an answered session with an end time for final', () => {
    expect(parseCallback({ token: 't', status: 'answer' })).toMatchObject({ isFinal: false });
    expect(parseCallback({ token: 't', status: 'answer', endTime: 0 })).toMatchObject({ isFinal: false });
    expect(parseCallback({ token: 't', status: 'answer', callEndTime: '1700000000000' })).toMatchObject({ isFinal: true });
  });

  it.each([
    [{ token: 't9' }, 't9'],
    ['t9', 't9'],
    [null, undefined],
  ])('understands a CDR whose session is %j', (session, sessionId) => {
    const cdr = { owner: { domain: { name: 'acme.cloudonix.net', uuid: 'u' } }, call_id: 'c', disposition: 'NOANSWER', duration: 12, billsec: 0, session };
    expect(parseCallback(cdr)).toEqual({
      kind: 'cdr',
      sessionId,
      account: 'acme.cloudonix.net',
      status: 'noanswer',
      isFinal: true,
      details: { call_id: 'c', disposition: 'NOANSWER', duration: '12', billsec: '0' },
    });
  });

  it.each([null, 5, 'x', [], [1, 2], {}, { status: 'answer' }, { token: 't' }, [{ token: 't', status: 'a' }, {}]])('finds nothing in %j', (post) => {
    expect(parseCallback(post)).toBeNull();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 2 }), (any, field) => {
        parseCallback(any);
        parseTransferCallback(any);
        const known = { token: field, session: field, status: field, disposition: field, domain: field, owner: field };
        const callback = parseCallback(known);
        expect(callback === null || typeof callback.isFinal === 'boolean').toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseTransferCallback', () => {
  it.each([
    [{ StatusCallbackEvent: 'participant-join', Session: 't' }, { type: 'answered' }],
    [[{ StatusCallbackEvent: 'join' }], { type: 'answered' }],
    [{ token: 't', status: 'busy' }, { type: 'failed', reason: 'busy' }],
    [{ token: 't', status: 'NoAnswer' }, { type: 'failed', reason: 'noanswer' }],
    [{ token: 't', status: 'ringing' }, null],
    [{ StatusCallbackEvent: 'participant-leave' }, null],
    [undefined, null],
  ])('%j', (post, progress) => expect(parseTransferCallback(post)).toEqual(progress));
});
