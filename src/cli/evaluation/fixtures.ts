import { basename } from 'node:path';
import type { AgentFileContent } from '../agent-file.js';
import { agentShape, audioClipShape, documentShape, readAnswer } from '../api-shapes.js';
import { readUpload } from '../read-upload.js';
import type { ToolDefinition } from '../../workflow/tools/tool-definition.js';
import type { CallStage } from './call-stage.js';
import type { LocalClip } from './local-clips.js';
import type { LocalDocument } from './local-documents.js';

/** What an agent names by UUID, stored at the server for as long as the evaluation runs. */
export interface Fixtures {
  /** Stores them, once; the agent's content with the UUIDs that the server gave. @throws CliError */
  place(): Promise<AgentFileContent>;
  remove(): Promise<void>;
}

/** Creates the fixtures of one evaluation file. Nothing is stored yet. */
export function createFixtures(options: {
  readonly stage: Pick<CallStage, 'client' | 'cleaner'>;
  readonly content: AgentFileContent;
  readonly documents: readonly LocalDocument[];
  readonly clips: readonly LocalClip[];
  readonly tools: readonly ToolDefinition[];
}): Fixtures {
  const { stage, content, documents, clips, tools } = options;
  const placed: string[] = [];
  let placing: Promise<AgentFileContent> | null = null;

  async function placeAll(): Promise<AgentFileContent> {
    let workflow = JSON.stringify(content.workflow_definition ?? {});
    const rename = (collection: string, from: string, to: string) => {
      placed.push(`/${collection}/${to}`);
      workflow = workflow.replaceAll(from, to);
    };
    for (const { uuid, path, mode } of documents) {
      const query = { name: basename(path), mode };
      const answer = await stage.client.request('POST', '/documents', { query, file: readUpload(path) });
      rename('documents', uuid, readAnswer(documentShape, answer, 'add document').uuid);
    }
    for (const { uuid, path, transcript } of clips) {
      const answer = await stage.client.request('POST', '/audio-clips', { query: { name: basename(path), transcript }, file: readUpload(path) });
      rename('audio-clips', uuid, readAnswer(audioClipShape, answer, 'add clip').uuid);
    }
    for (const { uuid, ...body } of tools) {
      rename('tools', uuid, readAnswer(agentShape.pick({ uuid: true }), await stage.client.request('POST', '/tools', { body }), 'create tool').uuid);
    }
    return { ...content, workflow_definition: JSON.parse(workflow) as unknown };
  }

  return {
    place: () => (placing ??= placeAll()),
    async remove() {
      for (const path of placed.splice(0)) await stage.cleaner.request('DELETE', path);
    },
  };
}
