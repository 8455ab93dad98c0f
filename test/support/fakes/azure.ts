import { startFakeRequestVoice, type FakeRequestVoice, type FakeRequestVoiceOptions, type RequestVoiceProtocol } from './request-voice.js';

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'" };

/** Elements of a document and the attributes that each needs. */
const elements: Readonly<Record<string, readonly string[]>> = { speak: ['version', 'xmlns', 'xml:lang'], voice: ['name'], prosody: ['rate'], lang: ['xml:lang'] };

/** The text of an SSML document; null where it is not well-formed or says more than this fake knows. */
export function textOfSsml(document: string): string | null {
  const open: string[] = [];
  let text = '';
  for (const [token, closing, name, attributes] of document.matchAll(/<(\/?)([a-z]+)((?: [a-z:]+="[^"<]*")*)>|[^<]+|</g)) {
    if (name === undefined) {
      if (token === '<' || open.length < 2 || /&(?!(amp|lt|gt|quot|apos);)/.test(token)) return null;
      text += token.replace(/&\w+;/g, (entity) => entities[entity] ?? '');
    } else if (closing === '/') {
      if (open.pop() !== name) return null;
    } else {
      const given = [...(attributes ?? '').matchAll(/ ([a-z:]+)="[^"]*"/g)].map(([, attribute]) => attribute);
      if (JSON.stringify(given) !== JSON.stringify(elements[name])) return null;
      const isPlaced = open.length === 0 ? name === 'speak' && text === '' : open.length === 1 ? name === 'voice' : name !== 'speak' && name !== 'voice';
      if (!isPlaced) return null;
      open.push(name);
    }
  }
  // XML 1.0 §2.2
  const isXml = !/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(document);
  return open.length === 0 && isXml && document.startsWith('<speak ') ? text : null;
}

/** Azure's text-to-speech over REST, as its documentation has it. */
const azure: RequestVoiceProtocol = {
  path: '/cognitiveservices/v1',
  isKey: (headers, apiKey) => headers['ocp-apim-subscription-key'] === apiKey,
  refuse: (response, status, headers = {}) => void response.writeHead(status, headers).end(),
  refuseKey: (response) => void response.writeHead(401).end(),
  textOf(body, headers) {
    const isAsked =
      headers['content-type'] === 'application/ssml+xml' &&
      headers['x-microsoft-outputformat'] === 'raw-8khz-8bit-mono-mulaw' &&
      (headers['user-agent'] ?? '') !== '';
    return isAsked ? textOfSsml(body) : null;
  },
  begin(response) {
    response.writeHead(200, { 'Content-Type': 'audio/basic' });
    response.flushHeaders();
    return { write: (audio) => void response.write(audio), end: () => void response.end() };
  },
};

/** Starts the fake. */
export const startFakeAzure = (options: FakeRequestVoiceOptions = {}): Promise<FakeRequestVoice> => startFakeRequestVoice(azure, options);
