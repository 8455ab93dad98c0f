import { FRAME_BYTES } from '../../src/audio/frame.js';
import type { StreamStart } from '../../src/telephony/dialect.js';
import { cloudonixDialect } from '../../src/telephony/cloudonix/dialect.js';
import { printTable, shorten } from '../report.js';
import { sharedNowMs } from '../shared-clock.js';
import type { Scenario } from './scenario.js';

const ITERATIONS = 200_000;
const WARM_UP = 20_000;

/** Nanoseconds per call of `operation`, after a warm-up. */
function timeNs(operation: () => void): number {
  for (let i = 0; i < WARM_UP; i += 1) operation();
  const startMs = sharedNowMs();
  for (let i = 0; i < ITERATIONS; i += 1) operation();
  return ((sharedNowMs() - startMs) * 1e6) / ITERATIONS;
}

const frame = Buffer.alloc(FRAME_BYTES, 0x5a);
const inbound = Buffer.from(
  JSON.stringify({
    event: 'media',
    sequenceNumber: '1234',
    streamSid: 'ST-bench',
    media: { track: 'inbound', chunk: 1233, timestamp: '24640', payload: frame.toString('base64') },
  }),
);

const start: StreamStart = {
  streamId: 'ST-bench',
  sessionId: 'session',
  callId: 'call',
  account: 'bench.cloudonix.net',
  from: undefined,
  to: undefined,
  direction: 'inbound',
  tracks: ['inbound'],
  inboundFormat: { encoding: 'mulaw', sampleRateHz: 8000 },
  outboundFormat: { encoding: 'mulaw', sampleRateHz: 8000 },
  customParameters: {},
  webhookLog: {},
};

/** One media frame in and out: the dialect's way and the obvious way. */
export const mediaScenario: Scenario = {
  name: 'media',
  summary: 'parse and serialise one media frame, beside JSON.parse and JSON.stringify',
  defaults: { repeats: 3 },
  async run(options) {
    let bytes = 0;
    const reader = cloudonixDialect.createReader({ onMedia: (payload) => void (bytes += payload.length), onMessage: () => undefined });
    const writer = cloudonixDialect.createWriter(start);
    const scratch = Buffer.alloc(FRAME_BYTES);
    const results: { parseNs: number; naiveParseNs: number; serialiseNs: number; naiveSerialiseNs: number }[] = [];
    for (let repeat = 0; repeat < options.repeats; repeat += 1) {
      results.push({
        parseNs: timeNs(() => reader.read(inbound, false)),
        naiveParseNs: timeNs(() => {
          const message = JSON.parse(inbound.toString('utf8')) as { media: { payload: string } };
          bytes += Buffer.from(message.media.payload, 'base64').length;
        }),
        serialiseNs: timeNs(() => void (bytes += writer.media(frame).length)),
        naiveSerialiseNs: timeNs(() => {
          scratch.set(frame);
          bytes += JSON.stringify({ event: 'media', streamSid: start.streamId, media: { payload: scratch.toString('base64') } }).length;
        }),
      });
    }
    if (bytes === 0) throw new Error('nothing was parsed');
    const best = (read: (result: (typeof results)[number]) => number) => Math.min(...results.map(read));
    const row = (name: string, ours: number, naive: number) => [name, shorten(ours), shorten(naive), `${shorten(naive / ours)} ×`];
    printTable([
      ['one 20 ms frame, ns', 'dialect', 'JSON', 'ratio'],
      row('parse', best((result) => result.parseNs), best((result) => result.naiveParseNs)),
      row('serialise', best((result) => result.serialiseNs), best((result) => result.naiveSerialiseNs)),
    ]);
    return results;
  },
};
