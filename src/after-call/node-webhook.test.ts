import { describe, expect, it } from 'vitest';
import { sampleRun } from '../../test/support/sample-run.js';
import { nodeRequest, nodeVariables, parseWebhookNode } from './node-webhook.js';

const wallMs = Date.UTC(2026, 0, 1);

function requestOf(data: Record<string, unknown>, run = sampleRun(), frozenBody: string | null = null) {
  const node = parseWebhookNode({ id: 'w', type: 'webhook', data: { name: 'CRM', endpoint_url: 'https://crm.example.com/calls', ...data } });
  return node === null ? null : nodeRequest(node, nodeVariables(run, 'https://calls.example.com'), { frozenBody, wallMs });
}

const bodyOf = (data: Record<string, unknown>, run = sampleRun()): unknown => JSON.parse(requestOf(data, run)?.body ?? 'null');

describe('the request of a webhook node', () => {
  it('sends the facts of the run where it has no template', () => {
    expect(requestOf({})).toMatchObject({ method: 'POST', url: 'https://crm.example.com/calls', headers: { 'content-type': 'application/json' } });
    expect(bodyOf({})).toMatchObject({
      workflow_run_id: sampleRun().id,
      end_reason: 'caller_hangup',
      call_disposition: 'caller_hangup',
      duration_seconds: 60,
      initial_context: { caller_number: '+15550001111' },
      gathered_context: { name: 'Ada' },
      transcript_url: `https://calls.example.com/api/v1/runs/${sampleRun().id}/transcript`,
    });
  });

  it('fills a JSON template in over both contexts, values staying in their place', () => {
    const run = sampleRun({ gatheredContext: { name: 'Ada "the" {{caller_number}}\n', call_disposition: 'sold' } });
    const template = { who: '{{gathered_context.name}}', from: ['{{initial_context.caller_number}}', '{{caller_number}}'], is: '{{call_disposition}}', n: 1, none: '{{absent | nobody}}' };
    const expected = { who: 'Ada "the" {{caller_number}}\n', from: ['+15550001111', '+15550001111'], is: 'sold', n: 1, none: 'nobody' };
    expect(bodyOf({ payload_template: template }, run)).toEqual(expected);
    expect(bodyOf({ payload_template: JSON.stringify(template) }, run)).toEqual(expected);
  });

  it('sends a text that is no JSON as text', () => {
    expect(requestOf({ payload_template: 'Call of {{name}}' })).toMatchObject({ body: 'Call of Ada', headers: { 'content-type': 'text/plain; charset=utf-8' } });
  });

  it('fills headers in and keeps them one line', () => {
    const run = sampleRun({ gatheredContext: { name: 'Ada\r\nX-Evil: 1' } });
    expect(requestOf({ custom_headers: [{ key: 'X-Name', value: '{{name}}' }, { key: 'Content-Type', value: 'application/vnd.crm+json' }] }, run)?.headers).toEqual({
      'x-name': 'Ada  X-Evil: 1',
      'content-type': 'application/vnd.crm+json',
    });
  });

  it('sends no body with a GET, and what was sent before on a retry', () => {
    expect(requestOf({ http_method: 'GET' })).toEqual({ url: 'https://crm.example.com/calls', method: 'GET', headers: {}, body: null });
    expect(requestOf({ http_method: 'PUT' }, sampleRun(), '{"a":1}')).toMatchObject({ method: 'PUT', body: '{"a":1}' });
  });

  it.each([{ endpoint_url: 'file:///etc/passwd' }, { unknown: 1 }, { custom_headers: [{ key: 'host', value: 'x' }] }])('is none where the node is not sound: %j', (data) => {
    expect(requestOf(data)).toBeNull();
  });
});
