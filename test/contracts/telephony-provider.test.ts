import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startFakeCloudonix, type FakeOperation } from '../../src/simulator/fake-cloudonix.js';
import { cloudonix } from '../../src/telephony/cloudonix/index.js';
import { createVirtualClock } from '../support/virtual-clock.js';
import { describeTelephonyProvider, type ProviderStage } from './telephony-provider.js';

const domain = 'acme.cloudonix.net';
const bearerToken = 'XIcorrect-horse';

const operations = { validate: 'get-session', 'hang-up': 'hang-up', 'transfer-cold': 'switch-application', dial: 'dial' } as const;
const operationNames: Readonly<Record<string, string>> = Object.fromEntries(Object.entries(operations).map(([name, operation]) => [operation, name]));

/** Receives the fake's posts to a callback URL. */
async function openCallbackReceiver() {
  const posts: unknown[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => void (text += chunk));
    request.on('end', () => {
      posts.push(JSON.parse(text));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { posts, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/transfers/1`, server };
}

async function openStage(): Promise<ProviderStage> {
  const clock = createVirtualClock();
  const fake = await startFakeCloudonix({ domains: { [domain]: { bearerToken } }, clock });
  const receiver = await openCallbackReceiver();
  const call = { account: domain, sessionId: 'live/session token' };
  fake.addSession(domain, call.sessionId, { status: 'answer' });
  const flows = new Map<string, string>();
  let dialled: ReturnType<ProviderStage['dialled']>;
  fake.on('application', ({ token, cxml }) => void flows.set(token, cxml));
  fake.on('dial', ({ token, destination, cxml }) => void (dialled = { sessionId: token, destination, flow: cxml }));
  const controlOf = (bearer: string | undefined, baseUrl = fake.baseUrl) =>
    cloudonix.createControl({ credentials: { domain_id: 'acme', bearer_token: bearer }, baseUrl, clock, fetch });
  const session = () => {
    const found = fake.sessions.get(call.sessionId);
    if (found === undefined) throw new Error('The session is gone');
    return found;
  };
  return {
    control: controlOf(bearerToken),
    foreignControl: controlOf('XIwrong'),
    powerlessControl: controlOf(undefined),
    unreachableControl: controlOf(bearerToken, 'http://127.0.0.1:9'),
    call,
    async advance(ms) {
      // Requests travel in real time, deadlines in virtual time.
      await new Promise((resolve) => setTimeout(resolve, 4));
      await clock.advance(ms);
    },
    nowMs: () => clock.nowMs(),
    failNext: (operation, behaviours) => fake.setBehaviour(operations[operation] satisfies FakeOperation, behaviours),
    setStatus: (status) => void (session().status = status),
    endSession: () => void (session().endTimeMs = clock.wallMs()),
    setDialOutcome: (outcome) => fake.setDialOutcome(outcome),
    asked: () => fake.requests.map(({ operation }) => operationNames[operation] ?? operation),
    flowOf: (sessionId) => flows.get(sessionId),
    dialled: () => dialled,
    callbackUrl: receiver.url,
    callbacks: () => receiver.posts,
    async close() {
      await fake.close();
      receiver.server.closeAllConnections();
      await new Promise<void>((resolve) => receiver.server.close(() => resolve()));
    },
  };
}

describeTelephonyProvider(cloudonix, {
  credentials: {
    valid: [
      { domain_id: 'acme.cloudonix.net' },
      { domain_id: ' Acme. ', bearer_token: 'XIabc', requests_key: 'key' },
      { domain_id: 'acme', bearer_token: bearerToken },
    ],
    invalid: [
      {},
      null,
      { domain_id: '' },
      { domain_id: 'a b' },
      { domain_id: 'http://acme.cloudonix.net/x' },
      { domain_id: `${'x'.repeat(64)}.net` },
      { domain_id: 'acme', bearer_token: 'two words' },
      { domain_id: 'acme', bearer_token: '' },
      { domain_id: 'acme', bearer_tokn: 'typo' },
      { domain_id: 7 },
    ],
  },
  accounts: [
    { stored: { domain_id: 'acme' }, inUrl: { Domain: 'acme.cloudonix.net' }, account: 'acme.cloudonix.net' },
    { stored: { domain_id: 'ACME.cloudonix.net.' }, inUrl: { Domain: ' Acme ' }, account: 'acme.cloudonix.net' },
    { stored: { domain_id: 'pbx.example.com' }, inStart: 'PBX.Example.com.', account: 'pbx.example.com' },
    { stored: { domain_id: 'acme' }, inUrl: { Domain: 'acme' }, inStart: 'other', account: 'acme.cloudonix.net' },
    { stored: { domain_id: 'acme' }, inUrl: { Domain: ' ' }, inStart: 'acme', account: 'acme.cloudonix.net' },
    { stored: { domain_id: 'acme' }, account: null },
    { stored: { domain_id: 'acme' }, inUrl: { Domain: '../acme' }, inStart: 'acme', account: null },
    { stored: { domain_id: 'acme' }, inUrl: { Domain: '.' }, account: null },
  ],
  liveStatuses: [undefined, 'new', 'NEW', 'processing', 'Ringing', 'connected', 'answer', 'a-new-word'],
  endedStatuses: ['noanswer', 'busy', 'Cancel', 'nocredit', 'external', 'error', 'congestion', 'FAILED'],
  openStage,
});
