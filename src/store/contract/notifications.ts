/** Channels of LISTEN/NOTIFY. Payloads are JSON below 8 kB. */
export interface NotificationPayloads {
  /** An agent, its version, token or archive flag changed: forget what is cached. */
  agent_changed: { uuid: string; isActive: boolean };
  telephony_config_changed: { organizationId: string };
  /** A tool of the organization changed: its agents are to be read anew. */
  tools_changed: { organizationId: string };
  /** New events of a run were committed. */
  run_events: { runId: string; lastSeq: number };
  run_ended: { runId: string };
  /** Live control, answered by the node that holds the call. */
  run_control: { runId: string; commandId: string; command: RunCommand };
  run_control_result: { commandId: string; ok: boolean; code?: string; message?: string };
  /** The provider posted about a warm transfer to a node that does not hold its call. */
  transfer_progress: { transferId: string; progress: { type: 'answered' } | { type: 'failed'; reason: string } };
}

/** What live control asks of a call. */
export type RunCommand =
  | { readonly type: 'hangup' }
  | { readonly type: 'transfer'; readonly destination: string }
  | { readonly type: 'say'; readonly text: string };

/** Messages between the nodes that share the database. */
export interface Notifications {
  notify<K extends keyof NotificationPayloads>(channel: K, payload: NotificationPayloads[K]): Promise<void>;
  /** Returns the function that ends the subscription. Reconnects by itself; `onLost` tells that notifications may have been missed. */
  subscribe<K extends keyof NotificationPayloads>(
    channel: K,
    onPayload: (payload: NotificationPayloads[K]) => void,
    onLost?: () => void,
  ): () => void;
}
