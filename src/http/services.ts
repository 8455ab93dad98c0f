import type { Clock } from '../base/clock.js';
import type { ErrorCode } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Config } from '../config.js';
import type { FileReader } from '../knowledge/file-reader.js';
import type { KnowledgeBase } from '../knowledge/knowledge.js';
import type { AgentContent, RunCommand, Store, TelephonyConfig } from '../store/store.js';
import type { ProviderControl, ProviderModule, TransferProgress } from '../telephony/provider.js';
import type { ToolDefinition } from '../workflow/tools/tool-definition.js';
import type { ChatDesk } from '../call/chat-desk.js';
import type { ToolRunner } from '../call/tools/run-tool.js';
import type { ImportResult } from '../workflow/import/import-agent.js';
import type { KnownReferences } from '../workflow/import/import-node.js';
import type { JsonRecord } from '../base/json.js';
import type { Metrics } from './metrics.js';
import type { Setup } from './setup.js';

/** One thing wrong with a document: where, what, and how to cure it. */
export interface Problem {
  /** Dotted path of the field: `settings.models.stt.vendor`; below the node or edge where there is one: `data.prompt`. */
  readonly path: string;
  readonly message: string;
  /** What to do about it, where that is known. */
  readonly cure?: string | undefined;
  /** Id of the node or edge of a workflow. */
  readonly elementId?: string | undefined;
}

/** The calls of this node, as far as the API needs them; implemented by call/call-directory.ts. */
export interface LiveCalls {
  activeCount(): number;
  readonly maxCalls: number;
  isDraining(): boolean;
  /**
   * Carries out a command on a live call, whichever node holds it.
   * @throws AgentStreamError `run-not-live`, `transfer-unsupported`, `transfer-invalid-destination`, `provider-*`
   */
  control(runId: string, command: RunCommand, signal: AbortSignal): Promise<void>;
  /**
   * The provider reported that the call behind the run is over. A hint: the session ends the run if its socket lingers.
   * Does nothing where the run is not held by this node. Must not throw.
   */
  noteCallEnded(runId: string, status: string): void;
}

/** What is wrong with an agent's content, and what is only worth knowing. */
export interface AgentCheck {
  /** Empty: it can be published. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** What makes an agent's content valid (agent-rules.ts). */
export interface AgentRules {
  /** The document of an agent that is created without one. */
  starterWorkflow(): unknown;
  /** Checks workflow, settings, models and variables as they must be to be published, against all tools and credentials of the organization. */
  check(content: AgentContent, stored: { readonly tools: readonly ToolDefinition[]; readonly credentialUuids: ReadonlySet<string> }): AgentCheck;
  /** Reads an exported agent, ours or Dograh's. What it gives may still have problems: {@link check} tells them. */
  readExport(document: JsonRecord, known: KnownReferences): ImportResult;
  /** Every problem of a `settings.models` value alone, as the organization's default holds it. */
  problemsOfModels(models: unknown): readonly Problem[];
}

/** A vendor as far as stored credentials are concerned. */
export interface KnownVendor {
  readonly name: string;
  /** False: the vendor takes no key, so that none can be stored. */
  readonly needsKey: boolean;
}

/** What became of one leg of a vendor's test; see {@link AppServices.testVendorKey}. */
export interface VendorLegTest {
  readonly leg: 'stt' | 'llm' | 'tts' | 'realtime';
  readonly model: string;
  readonly timeToFirstByteMs: number | null;
  /** Null: it works. */
  readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
}

/** Everything the HTTP application is built from. */
export interface AppServices {
  readonly config: Config;
  /** The package's version, for the OpenAPI document. */
  readonly version: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly providers: readonly ProviderModule[];
  readonly vendors: readonly KnownVendor[];
  readonly agentRules: AgentRules;
  readonly liveCalls: LiveCalls;
  readonly fileReader: FileReader;
  readonly knowledge: KnowledgeBase;
  /** What runs the tools of an organization: the same as in its calls. */
  readonly toolsOf: (organizationId: string) => ToolRunner;
  /** Conversations in writing. */
  readonly chats: ChatDesk;
  readonly setup: Setup;
  readonly metrics: Metrics;
  /** The origin clients and providers reach this server at: `config.publicUrl`, or the actual port where `PORT` is 0. */
  readonly publicUrl: () => string;
  /** REST control with the configuration's credential; the caller may share one per configuration. */
  createControl(telephonyConfig: TelephonyConfig): ProviderControl;
  /** Tries a vendor's key on each leg that the vendor has; bounded in time. Rejects with the signal's reason where it aborts. */
  testVendorKey(vendor: string, credential: { apiKey: string; baseUrl?: string | undefined }, signal: AbortSignal): Promise<readonly VendorLegTest[]>;
  /** Gives what a provider posted about a warm transfer to the call that waits, whichever node holds it. False for a URL that was never given out. */
  onTransferCallback(provider: string, transferId: string, secret: string, progress: TransferProgress | null): boolean;
  /** Requests per minute and client address beyond which 429 is answered. Default {@link defaultRequestsPerMinute}. */
  readonly requestsPerMinute?: number | undefined;
}

/** Far above a person with a dashboard and a few scripts, far below what would hurt the calls of this process. */
export const defaultRequestsPerMinute = 6000;
