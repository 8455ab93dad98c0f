import { basename, extname } from 'node:path';
import { audioClipShape, pageOf, readAnswer } from '../api-shapes.js';
import type { RegisterCommand } from '../command.js';
import { connect, withServerOption, type ConnectionOptions } from '../connection.js';
import { formatTime } from '../format.js';
import { readUpload } from '../read-upload.js';

const help = `
Examples:
  $ agent-stream clips add welcome.wav --transcript "Welcome to Acme."
  $ agent-stream clips list
  $ agent-stream clips remove 0198a7c2-…

A document names clips by UUID: greeting_recording_id, recording_id, transition_speech_recording_id (docs/audio-clips.md).
`;

type AddOptions = ConnectionOptions & { name?: string; transcript?: string };

/** Registers `clips` and its sub-commands. */
export const register: RegisterCommand = (command, context) => {
  command.addHelpText('after', help);

  withServerOption(command.command('add <file>').description('upload a WAV recording, a minute at most'))
    .option('--name <name>', 'name of the clip (default: the file’s)')
    .option('--transcript <text>', 'what is said in it, for transcripts and the model')
    .action(async (path: string, options: AddOptions) => {
      const query = { name: options.name ?? basename(path, extname(path)), transcript: options.transcript };
      const answer = await connect(options, context).request('POST', '/audio-clips', { query, file: readUpload(path) });
      const { uuid, name, duration_ms: durationMs } = readAnswer(audioClipShape, answer, 'add clip');
      context.output.line(`${uuid}  ${name}, ${(durationMs / 1000).toFixed(1)} s`);
    });

  withServerOption(command.command('list').description('list clips, newest first'))
    .option('--json', 'print the API’s answer')
    .action(async (options: ConnectionOptions & { json?: boolean }) => {
      const answer = await connect(options, context).request('GET', '/audio-clips', { query: { limit: 200 } });
      if (options.json === true) return context.output.json(answer);
      context.output.table(
        [{ title: 'UUID' }, { title: 'NAME' }, { title: 'SECONDS', align: 'right' }, { title: 'TRANSCRIPT' }, { title: 'CREATED (UTC)' }],
        readAnswer(pageOf(audioClipShape), answer, 'list clips').items.map((clip) => [
          clip.uuid,
          clip.name,
          (clip.duration_ms / 1000).toFixed(1),
          clip.transcript.length > 60 ? `${clip.transcript.slice(0, 59)}…` : clip.transcript,
          formatTime(clip.created_at),
        ]),
      );
    });

  withServerOption(command.command('remove <uuid>').description('delete a clip; agents that name it say the text in its place')).action(
    async (uuid: string, options: ConnectionOptions) => {
      await connect(options, context).request('DELETE', `/audio-clips/${encodeURIComponent(uuid)}`);
      context.output.line('Deleted');
    },
  );
};
