import { describe, expect, it } from 'vitest';
import { recogniseProvider } from './recognise.js';

const connected = '{"event":"connected","protocol":"Call","version":"1.0.0"}';
const start = (fields: Record<string, unknown>) => JSON.stringify({ event: 'start', start: fields });

describe('recogniseProvider', () => {
  it.each([
    ['a session', [connected, start({ session: 'tok', accountSid: 'acme.cloudonix.net' })], 'cloudonix'],
    ['a domain as the account', [connected, start({ accountSid: 'acme' })], 'cloudonix'],
    ['a session with an account like Twilio’s', [connected, start({ session: 'tok', accountSid: `AC${'0'.repeat(32)}` })], 'cloudonix'],
    ['Twilio', [connected, start({ accountSid: `AC${'0'.repeat(32)}`, streamSid: 'MZ1' })], null],
    ['no account', [connected, start({ streamSid: 'MZ1' })], null],
    ['Telnyx: no protocol', ['{"event":"connected","version":"1.0.0"}', start({ session: 'tok' })], null],
    ['no start', [connected], null],
    ['start first', [start({ session: 'tok' }), connected], null],
    ['no JSON', ['MEDIA_START x', 'y'], null],
    ['a start without an object', [connected, '{"event":"start","start":5}'], null],
    ['nothing', [], null],
  ])('tells %s', (_name, frames, provider) => expect(recogniseProvider({}, frames)).toBe(provider));

  it.each([
    ['long text', connected.replace('1.0.0', 'x'.repeat(65_000)), 'cloudonix'],
    ['brackets', `${connected.slice(0, -1)},"x":${'['.repeat(32_000)}${']'.repeat(32_000)}}`, null],
    ['escape sequences', connected.replace('1.0.0', '\\u001b['.repeat(8000)), 'cloudonix'],
    ['keys', `{${Array.from({ length: 5000 }, (_, n) => `"k${n}":0`).join(',')}}`, null],
  ])('looks at frames as large as the socket takes: %s', (_name, frame, provider) => {
    expect(recogniseProvider({}, [frame, start({ session: 'tok' })])).toBe(provider);
    expect(recogniseProvider({}, [frame, frame])).toBeNull();
  });

  it('believes another provider’s header', () => {
    expect(recogniseProvider({ 'x-twilio-signature': 'x' }, [connected, start({ session: 'tok' })])).toBeNull();
  });
});
