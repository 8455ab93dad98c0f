import { describe, expect, it } from 'vitest';
import { createWorkflowCall, edge, graphOf, node } from '../../test/support/workflow-call.js';
import { attachClips } from './attach-clips.js';
import { clipReferencesIn } from './clip-references.js';
import { compileWorkflow } from './compile.js';

const welcome = { uuid: 'welcome', name: 'Welcome', transcript: 'Welcome to Acme.' };
const jingle = { uuid: 'jingle', name: 'Jingle', transcript: '' };

const recordedStart = (data: Record<string, unknown> = {}) => node('s', 'startCall', { greeting_type: 'audio', greeting_recording_id: 'welcome', ...data });
const greeting = (graph: ReturnType<typeof graphOf>, variables: Record<string, unknown> = {}) => createWorkflowCall(graph, variables).send({ type: 'call-started' })[1];

describe('a recorded greeting', () => {
  const graph = graphOf([recordedStart({ greeting: 'Hello {{name}}.' }), node('e', 'endCall')], [edge('s', 'e')]);

  it('is played, and the conversation holds what is said in it', () => {
    expect(greeting(attachClips(graph, [welcome]))).toEqual({ type: 'say', text: 'Welcome to Acme.', allowInterrupt: true, clipId: 'welcome' });
    const call = createWorkflowCall(attachClips(graph, [welcome]));
    call.send({ type: 'call-started' });
    call.hear();
    call.caller('Hello.');
    expect(call.pass?.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
    expect(JSON.stringify(call.pass?.messages)).toContain('Welcome to Acme.');
  });

  it('without a transcript counts as the text in its place, else by its name', () => {
    const named = { ...welcome, transcript: ' ' };
    expect(greeting(attachClips(graph, [named]), { name: 'Ada' })).toMatchObject({ text: 'Hello Ada.', clipId: 'welcome' });
    const wordless = graphOf([recordedStart(), node('e', 'endCall')], [edge('s', 'e')]);
    expect(greeting(attachClips(wordless, [named]))).toMatchObject({ text: '[Recording: Welcome]', clipId: 'welcome' });
  });

  it('that is missing is the text, else the model greets', () => {
    expect(greeting(attachClips(graph, [jingle]), { name: 'Ada' })).toEqual({ type: 'say', text: 'Hello Ada.', allowInterrupt: true });
    const wordless = graphOf([recordedStart(), node('e', 'endCall')], [edge('s', 'e')]);
    expect(greeting(wordless)).toMatchObject({ type: 'ask-model' });
  });
});

describe('recordings on the way', () => {
  const document = {
    nodes: [
      recordedStart(),
      node('n', 'say', { recording_id: 'jingle' }),
      node('k', 'collectDigits', { prompt: 'Your number?' }),
      node('e', 'endCall'),
    ],
    edges: [
      edge('s', 'n', { transition_speech_type: 'audio', transition_speech_recording_id: 'welcome', transition_speech: 'One moment.' }),
      edge('n', 'k'),
      edge('k', 'e'),
    ],
  };
  const graph = graphOf(document.nodes, document.edges);

  const spoken = (attached: typeof graph) => {
    const call = createWorkflowCall(attached);
    call.send({ type: 'call-started' });
    if (call.pass !== null) call.model('Hello.');
    call.hear();
    call.caller('Next.');
    return call.model('', 'go_to_n').filter((action) => action.type === 'say');
  };

  it('are named once each', () => {
    expect(graph.recordingIds).toEqual(['welcome', 'jingle']);
    expect(clipReferencesIn(document).map(({ elementId, field }) => `${elementId} ${field}`)).toEqual([
      's data.greeting_recording_id',
      'n data.recording_id',
      's-n data.transition_speech_recording_id',
    ]);
    for (const nonsense of [null, 7, { nodes: 'x', edges: [null, { data: 3 }, { data: { transition_speech_recording_id: 4 } }] }]) expect(clipReferencesIn(nonsense)).toEqual([]);
  });

  it('are played in order', () => {
    expect(spoken(attachClips(graph, [welcome, jingle]))).toMatchObject([
      { text: 'Welcome to Acme.', clipId: 'welcome' },
      { text: '[Recording: Jingle]', clipId: 'jingle' },
      { text: 'Your number?' },
    ]);
  });

  it('that are missing are left out, or said', () => {
    expect(spoken(graph)).toEqual([
      { type: 'say', text: 'One moment.', allowInterrupt: true },
      { type: 'say', text: 'Your number?', allowInterrupt: false },
    ]);
  });
});

it('a recording and its type go together', () => {
  const problemsOf = (nodes: unknown[], edges: unknown[]) => {
    const result = compileWorkflow({ nodes, edges }, { forPublish: true });
    return result.ok ? [] : result.problems.map(({ kind, id, field, message }) => `${kind} ${id} ${field}: ${message}`);
  };
  const end = node('e', 'endCall');
  expect(problemsOf([recordedStart({ greeting_recording_id: undefined }), end], [edge('s', 'e')])).toEqual(['node s data.greeting_recording_id: is required where greeting_type is audio']);
  expect(problemsOf([recordedStart({ greeting_type: 'text' }), end], [edge('s', 'e')])).toEqual(['node s data.greeting_recording_id: is played only where greeting_type is audio']);
  expect(problemsOf([node('s', 'startCall'), node('n', 'say', { text: ' ' }), end], [edge('s', 'n'), edge('n', 'e')])).toEqual(['node n data.text: is required']);
  expect(problemsOf([node('s', 'startCall'), end], [edge('s', 'e', { transition_speech_recording_id: 'x' })])).toEqual(['edge s-e data.transition_speech_recording_id: is played only where transition_speech_type is audio']);
  expect(problemsOf([node('s', 'startCall'), end], [edge('s', 'e', { transition_speech_type: 'audio' })])).toEqual(['edge s-e data.transition_speech_recording_id: is required where transition_speech_type is audio']);
});
