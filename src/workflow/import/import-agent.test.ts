import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileWorkflow } from '../compile.js';
import { createSettingsSchema, parseSettings } from '../settings.js';
import { exportAgent } from './envelope.js';
import { importAgent, type ImportedAgent } from './import-agent.js';
import type { JsonRecord } from '../../base/json.js';
import { isRecord } from '../../base/json.js';

const nobody = { known: { toolUuids: new Set<string>(), documentUuids: new Set<string>(), clipUuids: new Set<string>(), credentialUuids: new Set<string>() }, settingsSchema: createSettingsSchema() };
const clinic = JSON.parse(readFileSync('examples/dograh/clinic.json', 'utf8')) as JsonRecord;

function imported(given: JsonRecord, options = nobody) {
  const result = importAgent(given, options);
  if (!result.ok) throw new Error(result.refusal.message);
  const agent = result.agent as ImportedAgent & { workflow: { nodes: Doc[]; edges: Doc[] } };
  return { agent, dropped: result.dropped, paths: result.dropped.map(({ path }) => path) };
}

interface Doc {
  readonly id: string;
  readonly type?: string;
  readonly data: Record<string, unknown>;
}

const nodeOf = ({ workflow }: { workflow: { nodes: Doc[] } }, id: string) => workflow.nodes.find((node) => node.id === id)?.data;
const startOnly = (data: Record<string, unknown>) => ({ nodes: [{ id: 's', type: 'startCall', data: { name: 'S', prompt: 'P', ...data } }], edges: [] });

describe('a Dograh export', () => {
  it('compiles for publishing, every node type but the integrations', () => {
    const { agent } = imported(clinic);
    const compiled = compileWorkflow(agent.workflow, { forPublish: true });
    expect(compiled.ok ? [] : compiled.problems).toEqual([]);
    expect(agent.workflow.nodes.map(({ type }) => type)).toEqual(expect.arrayContaining(['startCall', 'agentNode', 'endCall', 'globalNode', 'trigger', 'webhook']));
    expect(agent.workflow.nodes.map(({ type }) => type)).not.toContain('tuner');
    expect(agent.name).toBe('Riverside Clinic — appointments');
    expect(agent.variables).toEqual({ clinic_name: 'Riverside Clinic', opening_hours: 'eight to six, Monday to Friday' });
  });

  it('brings its settings in our names and units', () => {
    const { settings } = imported(clinic).agent;
    expect(settings).toEqual({
      max_call_duration: 600,
      max_user_idle_timeout: 12,
      dictionary: ['Riverside', 'Dr. Okafor', 'physiotherapy'],
      turn: { interruption: { min_words: 2 }, endpointing: { max_delay_ms: 2000 } },
    });
    expect(parseSettings(settings).ok).toBe(true);
  });

  it('has Dograh’s default where it leaves allow_interrupt out', () => {
    const { agent } = imported(clinic);
    expect([nodeOf(agent, '1')?.['allow_interrupt'], nodeOf(agent, '2')?.['allow_interrupt']]).toEqual([true, false]);
    expect(imported({ agent_stream_export: 1, workflow_definition: startOnly({}) }).agent.workflow.nodes[0]?.data).not.toHaveProperty('allow_interrupt');
  });

  it('tells of everything that is not taken over, by path and kind, never by value', () => {
    const { dropped } = imported(clinic);
    const told = new Map(dropped.map(({ path, ...rest }) => [path, rest]));
    for (const path of [
      ...['id', 'workflow_uuid', 'call_disposition_codes', 'nodes.*.measured', 'nodes.*.selected', 'edges.*.animated'],
      ...['nodes.0.data.tool_uuids.0', 'nodes.0.data.document_uuids.0', 'nodes.0.data.pre_call_fetch_credential_uuid'],
      ...['nodes.1.data.extraction_variables.0.name', 'nodes.5.data.credential_uuid', 'nodes.5.data.custom_headers.1'],
      ...['nodes.7', 'edges.5', 'edges.1.data.transition_speech_type', 'edges.1.data.transition_speech_recording_id', 'edges.4.data.label'],
      ...['workflow_configurations.transcript_configuration', 'workflow_configurations.model_overrides'],
    ])
      expect([path, told.has(path)]).toEqual([path, true]);
    expect(told.get('nodes.7')).toEqual({ elementId: '8', valueKind: 'object', why: 'node type “tuner”: an integration this server does not have' });
    expect(told.get('edges.5')?.elementId).toBe('xy-edge__3-8');
    expect(JSON.stringify(dropped)).not.toContain('not-a-real-key');
    expect(JSON.stringify(imported(clinic).agent)).not.toContain('not-a-real-key');
  });

  it('says what to do about recordings, and keeps those that are here', () => {
    const uuid = '0198a7c2-0000-7000-8000-000000000001';
    const document = {
      agent_stream_export: 1,
      workflow_definition: {
        nodes: [
          { id: 's', type: 'startCall', data: { name: 'S', prompt: 'Help.', greeting: 'Hello.', greeting_type: 'audio', greeting_recording_id: uuid } },
          { id: 'n', type: 'say', data: { name: 'N', text: 'One moment.', recording_id: 'rec_7' } },
          { id: 'e', type: 'endCall', data: { name: 'E', prompt: 'Bye.' } },
        ],
        edges: [
          { id: 's-n', source: 's', target: 'n', data: { label: 'Next', transition_speech_type: 'audio', transition_speech_recording_id: uuid } },
          { id: 'n-e', source: 'n', target: 'e', data: { label: 'End', transition_speech_type: 'audio' } },
        ],
      },
    };
    const here = imported(document, { ...nobody, known: { ...nobody.known, clipUuids: new Set([uuid]) } });
    expect(here.paths).toEqual(['nodes.1.data.recording_id', 'edges.1.data.transition_speech_type']);
    expect(here.dropped[0]?.why).toMatch(/agent-stream clips add FILE\.wav/);
    expect(nodeOf(here.agent, 's')).toMatchObject({ greeting_type: 'audio', greeting_recording_id: uuid });
    expect(nodeOf(here.agent, 'n')).toEqual({ name: 'N', text: 'One moment.' });
    expect(here.agent.workflow.edges.map(({ data }) => data)).toEqual([
      { label: 'Next', transition_speech_type: 'audio', transition_speech_recording_id: uuid },
      { label: 'End' },
    ]);
    const elsewhere = imported(document);
    expect(elsewhere.paths).toEqual(expect.arrayContaining(['nodes.0.data.greeting_recording_id', 'nodes.0.data.greeting_type', 'edges.0.data.transition_speech_recording_id']));
    expect(nodeOf(elsewhere.agent, 's')).not.toHaveProperty('greeting_type');
  });

  it('says for whom a credential is to be created, and keeps those that are here', () => {
    const { dropped } = imported(clinic);
    const why = (path: string) => dropped.find((each) => each.path === path)?.why;
    expect(why('nodes.0.data.pre_call_fetch_credential_uuid')).toBe(
      'credentials are not exported: create the one for crm.example.com (POST /api/v1/credentials), then name it in pre_call_fetch_credential_uuid',
    );
    expect(why('nodes.5.data.credential_uuid')).toContain('create the one for calendar.example.com');
    const uuid = '9d5e0f9b-40a0-4e7b-8b7e-5f9d1c1a2b3c';
    const { agent, paths } = imported(clinic, { ...nobody, known: { ...nobody.known, credentialUuids: new Set([uuid]) } });
    expect(nodeOf(agent, '6')?.['credential_uuid']).toBe(uuid);
    expect(paths).not.toContain('nodes.5.data.credential_uuid');
    expect(paths).toContain('nodes.0.data.pre_call_fetch_credential_uuid');
  });

  it('keeps what it refers to where it is here', () => {
    const uuid = 'a1d8a4d2-6d0a-4f5b-a9cf-0d5b9b6f1a11';
    const { paths } = imported(clinic, { ...nobody, known: { ...nobody.known, toolUuids: new Set([uuid]) } });
    expect(paths).not.toContain('nodes.0.data.tool_uuids.0');
    expect(paths).toContain('nodes.0.data.document_uuids.0');
  });

  it('becomes values of the right type, and readable names', () => {
    const { agent } = imported(clinic);
    expect(nodeOf(agent, '1')?.['delayed_start_duration']).toBe(2);
    expect(nodeOf(agent, '2')?.['extraction_variables']).toEqual([
      { name: 'patient_name', type: 'string', prompt: 'Name of the patient' },
      { name: 'is_new_patient', type: 'boolean', prompt: 'True if the patient was never here' },
    ]);
    expect(agent.workflow.edges.map(({ data }) => data['label'])).toEqual(['Book an appointment', 'End the call', 'Booked', 'booked?', 'Booked! 2']);
    expect(nodeOf(agent, '6')?.['payload_template']).toMatchObject({ note: null });
  });
});

describe('shapes of exports', () => {
  const sound = startOnly({});
  it('are the editor’s download, a version, a template, or the document alone', () => {
    for (const given of [{ name: 'A', workflow_definition: sound }, { workflow_json: sound }, { name: 'T', template_json: sound }, sound] as JsonRecord[])
      expect(imported(given).agent.workflow.nodes).toHaveLength(1);
    expect(imported(sound).agent.name).toBe('Imported agent');
  });

  it('refuse what is no agent, and what a newer version wrote', () => {
    const refusal = (given: JsonRecord) => {
      const result = importAgent(given, nobody);
      return result.ok ? null : result.refusal;
    };
    expect(refusal({})?.path).toBe('workflow_definition');
    expect(refusal({ agent_stream_export: 2, workflow_definition: sound })).toMatchObject({
      path: 'agent_stream_export',
      message: 'was written by a newer version: format 2, known here is 1',
    });
    expect(refusal({ agent_stream_export: 'one', workflow_definition: sound })?.message).toBe('is no version of the export format');
  });

  it('tell of nodes, fields and settings that a later Dograh may have', () => {
    const nodes = [...sound.nodes, { id: 'n', type: 'hologram', data: {} }];
    const { paths } = imported({ workflow_definition: { nodes: [{ ...nodes[0], data: { ...nodes[0]?.data, mood: 'calm' } }, nodes[1]], edges: [] }, workflow_configurations: { telepathy: { enabled: true } } });
    expect(paths).toEqual(['nodes.1', 'nodes.0.data.mood', 'workflow_configurations.telepathy'].toSorted((left, right) => paths.indexOf(left) - paths.indexOf(right)));
  });

  it('come back as they went out', () => {
    const { agent } = imported(clinic);
    const again = imported(JSON.parse(JSON.stringify(exportAgent(agent))) as JsonRecord);
    expect(again.agent).toEqual(agent);
    expect(again.dropped).toEqual([]);
  });

  it('switch voicemail detection on by its rules', () => {
    const { agent, paths } = imported({ workflow_definition: sound, workflow_configurations: { voicemail_detection: { enabled: true, use_workflow_llm: true, api_key: 'k', long_speech_timeout: 8 } } });
    expect(paths).toContain('workflow_configurations.voicemail_detection.api_key');
    expect(JSON.stringify(agent.settings)).not.toContain('api_key');
  });
});

/** Documents that are wrong in every way, but have the outline of one. */
const wild = fc.jsonValue({ maxDepth: 3 });
const wildData = fc.dictionary(fc.constantFrom('name', 'prompt', 'tool_uuids', 'extraction_variables', 'custom_headers', 'allow_interrupt', 'when', 'label', '__proto__', 'constructor', 'x'), wild);
const wildNode = fc.oneof(wild, fc.record({ id: fc.oneof(fc.constantFrom('1', '2', 3), wild), type: fc.oneof(fc.constantFrom('startCall', 'agentNode', 'webhook', 'say', 'qa', 'trigger', 'tuner', 'toString'), wild), position: wild, data: fc.oneof(wildData, wild), measured: wild }, { requiredKeys: [] }));
const wildEdge = fc.oneof(wild, fc.record({ id: wild, source: fc.oneof(fc.constantFrom('1', '2', 3), wild), target: fc.oneof(fc.constantFrom('1', '2', 3), wild), data: fc.oneof(wildData, wild) }, { requiredKeys: [] }));
const wildDocument = fc.oneof(wild, fc.record({ nodes: fc.oneof(fc.array(wildNode, { maxLength: 5 }), wild), edges: fc.oneof(fc.array(wildEdge, { maxLength: 5 }), wild), viewport: wild }, { requiredKeys: [] }));
const wildConfigurations = fc.oneof(
  wild,
  fc.dictionary(fc.constantFrom('max_call_duration', 'dictionary', 'turn_start_strategy', 'turn_start_min_words', 'turn_stop_strategy', 'smart_turn_stop_secs', 'voicemail_detection', 'turn', 'models', '__proto__', 'x'), fc.oneof(wild, fc.constantFrom('min_words', 'turn_analyzer', 'provisional_vad', '7'))),
);
const wildExport = fc.record(
  { name: wild, workflow_definition: wildDocument, workflow_json: wildDocument, settings: wildConfigurations, workflow_configurations: wildConfigurations, template_context_variables: wild, agent_stream_export: fc.oneof(fc.constant(1), wild), x: wild },
  { requiredKeys: [] },
);

describe('any JSON', () => {
  it('is imported or refused, and what was imported is read again without loss', () => {
    fc.assert(
      fc.property(fc.oneof(wild.filter(isRecord), wildExport, wildDocument.filter(isRecord)), (given) => {
        const json = JSON.parse(JSON.stringify(given)) as JsonRecord;
        const before = JSON.stringify(json);
        const result = importAgent(json, nobody);
        expect(JSON.stringify(json)).toBe(before);
        if (!result.ok) return result.refusal.message !== '';
        for (const { path, why } of result.dropped) expect([path, why].every((text) => typeof text === 'string') && why !== '').toBe(true);
        const compiled = compileWorkflow(result.agent.workflow, { forPublish: true });
        // What is left is told by validation, as required and missing, never as unknown.
        for (const { message } of compiled.ok ? [] : compiled.problems) expect(message).not.toMatch(/^unknown field|^unknown node type|^not supported yet/);
        const settings = parseSettings(result.agent.settings);
        expect(settings.ok ? [] : settings.problems).toEqual([]);
        const again = importAgent(JSON.parse(JSON.stringify(exportAgent(result.agent))) as JsonRecord, nobody);
        if (!again.ok) throw new Error(again.refusal.message);
        expect(again.agent.workflow).toEqual(result.agent.workflow);
        return true;
      }),
      { numRuns: 1500 },
    );
  });
});
