import { describe, expect, it } from 'vitest';
import type { AgentStreamError } from '../../src/base/errors.js';
import type { StreamStart } from '../../src/telephony/dialect.js';
import type { ProviderCall, ProviderControl, ProviderModule } from '../../src/telephony/provider.js';
import type { FakeBehaviour, FakeDialOutcome } from '../../src/simulator/fake-cloudonix.js';

/** A provider's API, played by its fake, with one account and one live session. */
export interface ProviderStage {
  /** With the account's credential. */
  readonly control: ProviderControl;
  /** With a credential that the provider refuses. */
  readonly foreignControl: ProviderControl;
  /** With a credential that cannot control calls. */
  readonly powerlessControl: ProviderControl;
  /** At an address where nobody listens. */
  readonly unreachableControl: ProviderControl;
  readonly call: ProviderCall;
  /** Moves time on, letting requests and answers happen. */
  advance(ms: number): Promise<void>;
  nowMs(): number;
  failNext(operation: 'validate' | 'hang-up' | 'transfer-cold' | 'dial', behaviours: readonly FakeBehaviour[]): void;
  setStatus(status: string | undefined): void;
  endSession(): void;
  setDialOutcome(outcome: FakeDialOutcome): void;
  /** What the fake was asked, as `operation`. */
  asked(): readonly string[];
  /** The flow a session was switched to, or undefined. */
  flowOf(sessionId: string): string | undefined;
  /** The flow and destination last dialled. */
  dialled(): { readonly destination: string; readonly flow: string; readonly sessionId: string } | undefined;
  /** Posts that the fake sent to `callbackUrl`. */
  readonly callbackUrl: string;
  callbacks(): readonly unknown[];
  close(): Promise<void>;
}

/** What a provider's contract test needs. */
export interface ProviderFixtures {
  readonly credentials: { readonly valid: readonly unknown[]; readonly invalid: readonly unknown[] };
  /** Equal accounts as users and carriers write them. */
  readonly accounts: readonly { readonly stored: unknown; readonly inUrl?: Readonly<Record<string, string>>; readonly inStart?: string; readonly account: string | null }[];
  readonly liveStatuses: readonly (string | undefined)[];
  readonly endedStatuses: readonly string[];
  openStage(): Promise<ProviderStage>;
}

const signal = (): AbortSignal => new AbortController().signal;

/** Lets time pass until the promise settles; how it settled and after how long. */
async function settle<Result>(
  stage: ProviderStage,
  promise: Promise<Result>,
  stepMs = 50,
): Promise<{ readonly result?: Result; readonly error?: AgentStreamError; readonly afterMs: number }> {
  const startedMs = stage.nowMs();
  let outcome: { result?: Result; error?: AgentStreamError } | undefined;
  promise.then(
    (result) => void (outcome = { result }),
    (error: AgentStreamError) => void (outcome = { error }),
  );
  for (let n = 0; outcome === undefined && n < 1000; n += 1) await stage.advance(stepMs);
  if (outcome === undefined) throw new Error('It did not settle');
  return { ...outcome, afterMs: stage.nowMs() - startedMs };
}

/** Runs a test on a stage of its own. */
function on(fixtures: ProviderFixtures, run: (stage: ProviderStage) => Promise<void>): () => Promise<void> {
  return async () => {
    const stage = await fixtures.openStage();
    try {
      await run(stage);
    } finally {
      await stage.close();
    }
  };
}

const serverError: FakeBehaviour = { type: 'status', status: 503 };
const limited = (retryAfterSeconds: number): FakeBehaviour => ({ type: 'status', status: 429, retryAfterSeconds });

function describeValidation(fixtures: ProviderFixtures): void {
  describe('validateSession', () => {
    for (const status of fixtures.liveStatuses) {
      it(`takes a session with status ${String(status)} for live`, on(fixtures, async (stage) => {
        stage.setStatus(status);
        expect((await settle(stage, stage.control.validateSession(stage.call, signal()))).result).toMatchObject({ isLive: true });
      }));
    }

    for (const status of fixtures.endedStatuses) {
      it(`takes a session with status ${status} for over`, on(fixtures, async (stage) => {
        stage.setStatus(status);
        expect((await settle(stage, stage.control.validateSession(stage.call, signal()))).result).toEqual({ isLive: false, status: status.toLowerCase() });
      }));
    }

    it('takes an unknown session, and one that has ended, for over', on(fixtures, async (stage) => {
      const unknown = stage.control.validateSession({ ...stage.call, sessionId: '../../x?y=1#z' }, signal());
      expect((await settle(stage, unknown)).result).toMatchObject({ isLive: false });
      stage.endSession();
      expect((await settle(stage, stage.control.validateSession(stage.call, signal()))).result).toMatchObject({ isLive: false });
    }));

    it('tries a server error and a broken connection once more', on(fixtures, async (stage) => {
      for (const behaviour of [serverError, { type: 'reset' } as const]) {
        stage.failNext('validate', [behaviour]);
        expect((await settle(stage, stage.control.validateSession(stage.call, signal()))).result).toMatchObject({ isLive: true });
      }
      stage.failNext('validate', [serverError, serverError]);
      expect((await settle(stage, stage.control.validateSession(stage.call, signal()))).error).toMatchObject({ code: 'provider-unreachable' });
      expect(stage.asked()).toHaveLength(6);
    }));

    it('gives up after 3 s on an API that does not answer, or answers too late', on(fixtures, async (stage) => {
      for (const behaviour of [{ type: 'hang' } as const, { type: 'slow', delayMs: 3500 } as const]) {
        stage.failNext('validate', [behaviour]);
        const { error, afterMs } = await settle(stage, stage.control.validateSession(stage.call, signal()));
        expect(error).toMatchObject({ code: 'provider-unreachable' });
        expect(afterMs).toBeLessThanOrEqual(3050);
      }
    }));

    it('waits for an API that is slow but in time', on(fixtures, async (stage) => {
      stage.failNext('validate', [{ type: 'slow', delayMs: 2500 }]);
      expect((await settle(stage, stage.control.validateSession(stage.call, signal()))).result).toMatchObject({ isLive: true });
    }));

    it('does not take an answer for a session that is none', on(fixtures, async (stage) => {
      stage.failNext('validate', [{ type: 'garbage' }]);
      expect((await settle(stage, stage.control.validateSession(stage.call, signal()))).error).toMatchObject({ code: 'provider-unreachable' });
    }));

    it('respects a 429: waits where the time allows, else gives up at once', on(fixtures, async (stage) => {
      stage.failNext('validate', [limited(1)]);
      const patient = await settle(stage, stage.control.validateSession(stage.call, signal()));
      expect(patient.result).toMatchObject({ isLive: true });
      expect(patient.afterMs).toBeGreaterThanOrEqual(1000);
      await stage.advance(2000);
      stage.failNext('validate', [limited(30)]);
      const refused = await settle(stage, stage.control.validateSession(stage.call, signal()));
      expect(refused.error).toMatchObject({ code: 'provider-rate-limited' });
      expect(refused.afterMs).toBeLessThan(1000);
      const asked = stage.asked().length;
      expect((await settle(stage, stage.control.validateSession(stage.call, signal()))).error).toMatchObject({ code: 'provider-rate-limited' });
      expect(stage.asked()).toHaveLength(asked);
    }));

    it('believes no 429 that would keep calls from being ended for hours', on(fixtures, async (stage) => {
      stage.failNext('hang-up', [limited(86_400)]);
      expect((await settle(stage, stage.control.hangUp(stage.call, signal()))).error).toMatchObject({ code: 'provider-rate-limited' });
      await stage.advance(60_000);
      expect((await settle(stage, stage.control.hangUp(stage.call, signal()))).error).toBeUndefined();
    }));

    it('tells a refused credential, a missing one, and an address where nobody listens', on(fixtures, async (stage) => {
      expect((await settle(stage, stage.foreignControl.validateSession(stage.call, signal()))).error).toMatchObject({ code: 'provider-rejected' });
      expect((await settle(stage, stage.powerlessControl.validateSession(stage.call, signal()))).error).toMatchObject({ code: 'missing-bearer-token' });
      expect((await settle(stage, stage.unreachableControl.validateSession(stage.call, signal()))).error).toMatchObject({ code: 'provider-unreachable' });
    }));

    it('follows no redirect with the credential', on(fixtures, async (stage) => {
      stage.failNext('validate', [{ type: 'status', status: 302 }]);
      expect((await settle(stage, stage.control.validateSession(stage.call, signal()))).error).toMatchObject({ code: 'provider-rejected' });
    }));

    it('stops when the caller is gone', on(fixtures, async (stage) => {
      stage.failNext('validate', [{ type: 'hang' }]);
      const controller = new AbortController();
      const validation = stage.control.validateSession(stage.call, controller.signal);
      await stage.advance(100);
      controller.abort(new Error('gone'));
      expect((await settle(stage, validation)).error).toMatchObject({ message: 'gone' });
    }));
  });
}

function describeHangUp(fixtures: ProviderFixtures): void {
  describe('hangUp', () => {
    it('ends the call, and counts one that is gone as done', on(fixtures, async (stage) => {
      expect((await settle(stage, stage.control.hangUp(stage.call, signal()))).error).toBeUndefined();
      expect((await settle(stage, stage.control.hangUp(stage.call, signal()))).error).toBeUndefined();
      expect(stage.asked()).toEqual(['hang-up', 'hang-up']);
    }));

    it('tries up to three times more, within 10 s', on(fixtures, async (stage) => {
      stage.failNext('hang-up', [serverError, { type: 'reset' }, limited(1)]);
      expect((await settle(stage, stage.control.hangUp(stage.call, signal()))).error).toBeUndefined();
      stage.failNext('hang-up', [serverError, serverError, serverError, serverError, serverError]);
      expect((await settle(stage, stage.control.hangUp(stage.call, signal()))).error).toMatchObject({ code: 'provider-unreachable' });
      expect(stage.asked()).toHaveLength(8);
      stage.failNext('hang-up', [{ type: 'hang' }]);
      const hung = await settle(stage, stage.control.hangUp(stage.call, signal()));
      expect(hung.error).toMatchObject({ code: 'provider-unreachable' });
      expect(hung.afterMs).toBeLessThanOrEqual(10_050);
    }));

    it('does not repeat what the provider refuses', on(fixtures, async (stage) => {
      expect((await settle(stage, stage.foreignControl.hangUp(stage.call, signal()))).error).toMatchObject({ code: 'provider-rejected' });
      expect(stage.asked()).toHaveLength(1);
    }));

    it('goes before look-ups when the rate limit makes them wait', on(fixtures, async (stage) => {
      stage.failNext('validate', [limited(1)]);
      await settle(stage, stage.control.validateSession(stage.call, signal()));
      const lookUp = stage.control.validateSession(stage.call, signal()).catch(() => undefined);
      const hangUp = stage.control.hangUp(stage.call, signal());
      await settle(stage, hangUp);
      expect(stage.asked().at(-1)).toBe('hang-up');
      await settle(stage, lookUp);
      expect(stage.asked().at(-1)).toBe('validate');
    }));
  });
}

function describeTransfers(provider: ProviderModule, fixtures: ProviderFixtures): void {
  const request = { destination: '+12125550155', callerId: '+12125550199', timeoutSeconds: 25 };
  const sip = { destination: 'sip:a"b&<c>@example.com', callerId: undefined, timeoutSeconds: 25 };

  describe('transfers', () => {
    it('replaces the call’s flow by a dial that ends in a hang-up', on(fixtures, async (stage) => {
      expect((await settle(stage, stage.control.transferCold(stage.call, request, signal()))).error).toBeUndefined();
      const flow = stage.flowOf(stage.call.sessionId) ?? '';
      for (const part of ['+12125550155', '+12125550199', '25', '<Hangup/>']) expect(flow).toContain(part);
      await settle(stage, stage.control.transferCold(stage.call, sip, signal()));
      expect(stage.flowOf(stage.call.sessionId)).toContain('sip:a&quot;b&amp;&lt;c&gt;@example.com');
    }));

    it('fails a transfer of a call that is over', on(fixtures, async (stage) => {
      stage.endSession();
      expect((await settle(stage, stage.control.transferCold(stage.call, request, signal()))).error).toMatchObject({ code: 'provider-rejected' });
    }));

    it('dials into a conference, hears of the answer, and moves the caller there', on(fixtures, async (stage) => {
      const warm = { ...request, callbackUrl: stage.callbackUrl, transferId: 't1', announcement: 'A caller & a <question>' };
      const { result } = await settle(stage, stage.control.transferWarm(stage.call, warm, signal()));
      const dialled = stage.dialled();
      expect(dialled).toMatchObject({ destination: '+12125550155' });
      expect(dialled?.flow).toContain('A caller &amp; a &lt;question&gt;');
      expect(dialled?.flow).toContain(`statusCallback="${stage.callbackUrl}"`);
      await stage.advance(100);
      expect(stage.callbacks().map((post) => provider.parseTransferCallback(post))).toContainEqual({ type: 'answered' });
      await settle(stage, result?.moveCaller(signal()) ?? Promise.reject(new Error('no transfer')));
      const conference = /<Conference[^>]*>([^<]+)</.exec(dialled?.flow ?? '')?.[1];
      expect(stage.flowOf(stage.call.sessionId)).toContain(`>${conference}<`);
    }));

    it.each(['busy', 'noanswer', 'failed'] as const)('hears that the destination could not be reached: %s', (outcome) => on(fixtures, async (stage) => {
      stage.setDialOutcome(outcome);
      const warm = { ...request, callbackUrl: stage.callbackUrl, transferId: 't1', announcement: '' };
      await settle(stage, stage.control.transferWarm(stage.call, warm, signal()));
      await stage.advance(100);
      const progress = stage.callbacks().flatMap((post) => provider.parseTransferCallback(post) ?? []);
      expect(progress).toEqual([{ type: 'failed', reason: outcome }]);
    })());

    it('hangs up the destination when the caller leaves first', on(fixtures, async (stage) => {
      const warm = { ...request, callbackUrl: stage.callbackUrl, transferId: 't1', announcement: '' };
      const { result } = await settle(stage, stage.control.transferWarm(stage.call, warm, signal()));
      await settle(stage, result?.cancel() ?? Promise.reject(new Error('no transfer')));
      expect(stage.asked().at(-1)).toBe('hang-up');
      await settle(stage, result?.cancel() ?? Promise.reject(new Error('no transfer')));
    }));

    it('never dials twice: not after a server error, only after a 429', on(fixtures, async (stage) => {
      const warm = { ...request, callbackUrl: stage.callbackUrl, transferId: 't1', announcement: '' };
      stage.failNext('dial', [serverError]);
      expect((await settle(stage, stage.control.transferWarm(stage.call, warm, signal()))).error).toMatchObject({ code: 'provider-unreachable' });
      expect(stage.asked()).toHaveLength(1);
      stage.failNext('dial', [limited(1)]);
      expect((await settle(stage, stage.control.transferWarm(stage.call, warm, signal()))).result).toMatchObject({ transferId: 't1' });
      expect(stage.asked()).toHaveLength(3);
    }));
  });

  describe('testCredential', () => {
    it('tells a good credential from a bad one', on(fixtures, async (stage) => {
      expect((await settle(stage, stage.control.testCredential(signal()))).result).toMatch(/\w+/);
      expect((await settle(stage, stage.foreignControl.testCredential(signal()))).error).toMatchObject({ code: 'provider-rejected' });
      expect((await settle(stage, stage.powerlessControl.testCredential(signal()))).error).toMatchObject({ code: 'missing-bearer-token' });
    }));
  });
}

function startWith(account: string | undefined): StreamStart {
  const format = { encoding: 'mulaw', sampleRateHz: 8000 } as const;
  const nothing = { from: undefined, to: undefined, tracks: [], customParameters: {}, webhookLog: {} };
  return { streamId: 's', sessionId: 't', callId: 'c', account, direction: 'inbound', inboundFormat: format, outboundFormat: format, ...nothing };
}

/** Every provider runs this suite against its fake. */
export function describeTelephonyProvider(provider: ProviderModule, fixtures: ProviderFixtures): void {
  describe(`telephony provider: ${provider.name}`, () => {
    it.each(fixtures.credentials.valid)('accepts credentials %j', (credentials) => {
      expect(provider.credentialsSchema.safeParse(credentials).success).toBe(true);
    });

    it.each(fixtures.credentials.invalid)('refuses credentials %j', (credentials) => {
      expect(provider.credentialsSchema.safeParse(credentials).success).toBe(false);
    });

    it.each(fixtures.accounts)('finds the account of $inUrl / $inStart', ({ stored, inUrl, inStart, account }) => {
      expect(provider.accountOfStream(inUrl ?? {}, startWith(inStart))).toBe(account);
      if (account !== null) expect(provider.accountOf(stored)).toBe(account);
    });

    it('gives call flows that carry the URL escaped and end in a hang-up', () => {
      const url = 'wss://voice.example/api/v1/agent-stream/x?a=1&b="2"&c=<3>';
      for (const snippet of Object.values(provider.snippets(url))) {
        expect(snippet).toContain('wss://voice.example/api/v1/agent-stream/x?a=1&amp;b=&quot;2&quot;&amp;c=&lt;3&gt;');
        expect(snippet).not.toMatch(/&(?!amp;|lt;|gt;|quot;|apos;)/);
        expect(snippet.trimEnd()).toMatch(/<Hangup\/>\s*<\/Response>$/);
      }
    });

    describeValidation(fixtures);
    describeHangUp(fixtures);
    if (provider.canTransfer.cold) describeTransfers(provider, fixtures);
  });
}
