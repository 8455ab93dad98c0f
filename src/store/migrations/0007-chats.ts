/** Written test chats with agents; they are deleted a while after they were last used. */
export const chats = `
CREATE TABLE chats (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  agent_uuid uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
  record json NOT NULL,
  -- Who works on it, and until when at the latest.
  claim uuid,
  claimed_until timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  expires_at timestamptz(3) NOT NULL
);
CREATE INDEX chats_of_agent ON chats (organization_id, agent_uuid, created_at);
CREATE INDEX chats_expired ON chats (expires_at);
`;
