/** A written chat with an agent. */
export interface StoredChat {
  readonly id: string;
  readonly organizationId: string;
  readonly agentUuid: string;
  /** What call/chat-desk.ts keeps of it. */
  readonly record: unknown;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** A chat that one request works on, until it is saved or the claim's time is over. */
export interface ClaimedChat extends StoredChat {
  readonly claim: string;
}

/** Where a chat is. */
export interface ChatPlace {
  readonly organizationId: string;
  readonly agentUuid: string;
  readonly id: string;
}

/** How far an organization may go, and for how long a chat is kept. */
export interface ChatBounds {
  readonly maxChats: number;
  /** Of the organization, that are worked on at once, on all nodes. */
  readonly maxClaimed: number;
  readonly claimMs: number;
  /** Since it was used last. */
  readonly lifetimeMs: number;
}

/** Chats. What has expired is deleted when a chat is made, and seen by nobody before. */
export interface ChatStore {
  /** A claimed chat. @throws AgentStreamError `conflict` where there are too many, `concurrency-limit` */
  create(owner: Omit<ChatPlace, 'id'>, record: unknown, bounds: ChatBounds): Promise<ClaimedChat>;
  /** Of one agent, newest first. */
  list(organizationId: string, agentUuid: string): Promise<readonly StoredChat[]>;
  get(place: ChatPlace): Promise<StoredChat | null>;
  /** Null where there is none. @throws AgentStreamError `conflict` where another request works on it, `concurrency-limit` */
  claim(place: ChatPlace, bounds: ChatBounds): Promise<ClaimedChat | null>;
  /** Saves and releases. Null where the claim is lost. */
  save(chat: ClaimedChat, record: unknown, bounds: ChatBounds): Promise<StoredChat | null>;
  /** Releases without a change. */
  release(chat: ClaimedChat): Promise<void>;
  delete(place: ChatPlace): Promise<boolean>;
}
