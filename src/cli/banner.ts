import type { Config } from '../config.js';
import { defaultVendorOf, hasKeyIn } from '../speech/models.js';
import { builtinVoiceName, findVendor, vendorsOf } from '../speech/registry.js';
import type { CascadedLeg } from '../speech/vendor.js';
import type { RunningNode } from './node.js';

const legs: readonly (readonly [CascadedLeg, string])[] = [
  ['stt', 'hearing'],
  ['llm', 'thinking'],
  ['tts', 'speaking'],
];

/** What an operator needs to see once the server is up. */
export function bannerLines(node: Pick<RunningNode, 'publicUrl' | 'setupToken' | 'voiceActivity'>, config: Config, version: string): string[] {
  const { publicUrl, setupToken } = node;
  const database = config.databaseUrl === null ? `embedded PostgreSQL in ${config.dataDir}` : 'PostgreSQL at DATABASE_URL';
  return [
    `Agent Stream ${version} · ${database}`,
    `├─ API      ${publicUrl}/api/v1   (OpenAPI at /api/v1/openapi.json)`,
    `├─ Stream   ${publicUrl.replace(/^http/, 'ws')}/api/v1/agent-stream/{provider}/{agent_uuid}`,
    `├─ Vendors  ${legs.map(([leg, verb]) => `${verb}: ${describeVendor(leg, config)}`).join(' · ')} · voice activity: ${node.voiceActivity}`,
    ...describeRealtime(config),
    setupToken === null
      ? '└─ Next     agent-stream agents list · agent-stream call · agent-stream doctor'
      : `└─ Set up   ${publicUrl}/setup#${setupToken}   (one time)`,
  ];
}

/** Speech-to-speech vendors with a key: an agent that wants one names it. */
function describeRealtime({ env }: Config): string[] {
  const names = vendorsOf('realtime').filter((vendor) => hasKeyIn(vendor, env)).map(({ name }) => name);
  return names.length === 0 ? [] : [`│           speech-to-speech, for agents that name it: ${names.join(', ')}`];
}

/** The vendor of agents that choose none. */
function describeVendor(leg: CascadedLeg, { env }: Config): string {
  const name = defaultVendorOf(leg, env);
  if (findVendor(name)?.isSimulated !== true) return name;
  return leg === 'tts' ? `${name} (simulated, ${builtinVoiceName()})` : `${name} (simulated)`;
}
