import { describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { calculate } from '../../workflow/tools/arithmetic.js';
import { readArguments } from '../../workflow/tools/arguments.js';
import { callableOf } from '../../workflow/tools/tool-definition.js';
import { copyVariables } from '../../workflow/variables.js';
import { createToolRunner } from './run-tool.js';

interface Options {
  readonly variables?: Record<string, unknown>;
  /** What the resolver answers. */
  readonly answer?: unknown;
}

/** Runs a tool of a kind; arguments as the model writes them. */
async function run(kind: string, config: Record<string, unknown>, argumentsJson = '{}', { variables = {}, answer }: Options = {}) {
  const tool = callableOf({ uuid: 'u', name: 'Do it', description: 'Does it.', kind, config, filler: null });
  if (tool === null) throw new Error('the configuration is none');
  const read = readArguments(tool.declaration, argumentsJson);
  if (!read.ok) return { text: read.message, isError: true, followUp: undefined };
  const requests: { url: string; body: unknown }[] = [];
  const answering: typeof fetch = (url, init) => {
    requests.push({ url: url as string, body: JSON.parse(init?.body as string) as unknown });
    return Promise.resolve(new Response(JSON.stringify(answer)));
  };
  const runner = createToolRunner({
    clock: systemClock,
    fetch: answering,
    credentialOf: () => Promise.resolve(null),
    onFault: (error) => {
      throw error;
    },
  });
  const result = await runner.run({ id: 'c', tool, arguments: read.values }, { signal: new AbortController().signal, variables: copyVariables(variables) });
  return { ...result, requests };
}

describe('calculator', () => {
  it.each<[string, number]>([
    ['1 + 2 * 3', 7],
    ['(12.5 + 3) * 4', 62],
    ['-2 ^ 2', -4],
    ['2 ** 3 ^ 2', 512],
    ['2 ^ -1', 0.5],
    ['10 % 4 - -1', 3],
    ['0.1 + 0.2', 0.3],
    ['((((1))))', 1],
  ])('%s is %d', async (expression, value) => {
    expect(await run('calculator', {}, JSON.stringify({ expression }))).toMatchObject({ text: String(value), isError: false });
  });

  it.each(['', '1 +', '(1', '1)', '1 2', '1/0', '9^9^9^9', 'process.exit()', '1;2', 'a', '1e400', '__proto__', '('.repeat(400), '-'.repeat(400), '1'.repeat(600)])(
    'tells what is wrong with %j',
    (expression) => {
      const result = calculate(expression);
      expect(result.ok ? 'fine' : result.message).toMatch(/\w/);
      expect(result.ok).toBe(false);
    },
  );
});

describe('end_call', () => {
  it('ends the call with its words, and the model’s reason', async () => {
    const config = { message: 'Goodbye {{name}}.', reason: true };
    expect(await run('end_call', config, '{"reason":"sold"}', { variables: { name: 'Ada' } })).toMatchObject({
      isError: false,
      followUp: { type: 'hang-up', text: 'Goodbye Ada.', disposition: 'sold' },
    });
    expect(await run('end_call', config)).toMatchObject({ isError: true, text: '"reason" is missing' });
  });
});

describe('send_digits', () => {
  it.each([
    [{}, '{"digits":"1 2-3,#"}', '123,#'],
    [{ digits: '{{pin}}#' }, '{"digits":"9"}', '77#'],
  ])('plays keys as tones: %j', async (config, argumentsJson, digits) => {
    expect((await run('send_digits', config, argumentsJson, { variables: { pin: '77' } })).followUp).toEqual({ type: 'play-tones', digits });
  });

  it.each(['', 'hello', '1'.repeat(65)])('plays no %j', async (digits) => {
    expect(await run('send_digits', {}, JSON.stringify({ digits }))).toMatchObject({ isError: true, followUp: undefined });
  });
});

describe('transfer_call', () => {
  const to = (destination: string) => ({ isError: false, followUp: { type: 'transfer', transfer: { destination, mode: 'cold', timeoutSeconds: 30 } } });
  const rules = [
    { context_path: 'customer.tier', routes: [{ context_value: 'gold', destination: '+15550001' }] },
    { context_path: 'language', routes: [{ context_value: 'es', destination: 'sip:es@pbx.example' }] },
  ];

  it('goes where the configuration says, whatever the model says', async () => {
    expect(await run('transfer_call', { source: 'static', destination: '{{boss}}' }, '{"destination":"+19005550000"}', { variables: { boss: '+15551234567' } })).toMatchObject(
      to('+15551234567'),
    );
    expect(await run('transfer_call', { source: 'static', destination: '{{boss}}' })).toMatchObject({ isError: true, followUp: undefined });
  });

  it('maps the call’s variables, rule by rule', async () => {
    const config = { source: 'mapping', rules, fallback_destination: '+15559999' };
    expect(await run('transfer_call', config, '{}', { variables: { customer: { tier: 'gold' }, language: 'es' } })).toMatchObject(to('+15550001'));
    expect(await run('transfer_call', config, '{}', { variables: { language: 'es' } })).toMatchObject(to('sip:es@pbx.example'));
    expect(await run('transfer_call', config)).toMatchObject(to('+15559999'));
    expect(await run('transfer_call', { source: 'mapping', rules })).toMatchObject({ isError: true, text: 'Error: No destination is configured for this call.' });
  });

  it('lets the model choose a name, and nothing but a name', async () => {
    const config = { source: 'mapping', choices: [{ name: 'sales', destination: '+15550002' }] };
    expect(await run('transfer_call', config, '{"destination":"sales"}')).toMatchObject(to('+15550002'));
    expect(await run('transfer_call', config, '{"destination":"+19005550000"}')).toMatchObject({ isError: true, text: '"destination" must be one of: "sales"', followUp: undefined });
  });

  it.each<[unknown, Record<string, unknown>]>([
    [{ destination: '+15550003', message: 'Hold on.' }, { followUp: { type: 'transfer', text: 'Hold on.', transfer: { destination: '+15550003' } } }],
    [{ transfer_context: { destination: '+15550004' } }, { followUp: { transfer: { destination: '+15550004' } } }],
    [{ destination: 'the boss' }, { isError: true, text: 'Error: The destination is not a number or SIP address.', followUp: undefined }],
    [{}, { isError: true, text: 'Error: The resolver gave no destination.' }],
    ['nonsense', { isError: true }],
  ])('asks a resolver, which answers %j', async (answer, expected) => {
    const resolver = { url: 'https://crm.example.com/route', parameters: [{ name: 'topic' }] };
    const result = await run('transfer_call', { source: 'dynamic', resolver }, '{"topic":"billing"}', { variables: { caller_number: '+1555' }, answer });
    expect(result).toMatchObject(expected);
    expect('requests' in result && result.requests).toEqual([{ url: 'https://crm.example.com/route', body: { arguments: { topic: 'billing' }, context: { caller_number: '+1555' } } }]);
  });
});

it('a kind that is not known is told to the model', async () => {
  const runner = createToolRunner({ clock: systemClock, fetch, credentialOf: () => Promise.resolve(null), onFault: () => undefined });
  const tool = { kind: 'constructor', uuid: null, declaration: { name: 'x', description: 'x', parameters: {} }, config: {}, filler: null };
  const result = await runner.run({ id: 'c', tool, arguments: {} }, { signal: new AbortController().signal, variables: {} });
  expect(result).toMatchObject({ isError: true, text: 'Error: this tool cannot be used here.' });
});
