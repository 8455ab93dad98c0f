/** Tables of the first release. Times are the database's own (`now()`), to the millisecond, so that nodes with skewed clocks agree. */
export const initial = `
CREATE TABLE store_metadata (
  key text PRIMARY KEY,
  value bytea NOT NULL
);

CREATE TABLE organizations (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  concurrent_calls integer NOT NULL CHECK (concurrent_calls >= 0),
  default_models json,
  created_at timestamptz(3) NOT NULL DEFAULT now()
);

CREATE TABLE users (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  email text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  UNIQUE (organization_id, email)
);

CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  name text NOT NULL,
  prefix text NOT NULL,
  key_hash bytea NOT NULL UNIQUE,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  last_used_at timestamptz(3),
  expires_at timestamptz(3)
);
CREATE INDEX api_keys_of_organization ON api_keys (organization_id, id);

CREATE TABLE agents (
  uuid uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  owner_user_id uuid NOT NULL REFERENCES users,
  name text NOT NULL,
  archived_at timestamptz(3),
  stream_token_hash bytea,
  former_stream_token_hash bytea,
  former_stream_token_expires_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  updated_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX agents_of_organization ON agents (organization_id, created_at DESC, uuid DESC);

CREATE TABLE agent_versions (
  agent_uuid uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
  number integer NOT NULL CHECK (number >= 1),
  status text NOT NULL CHECK (status IN ('draft', 'published', 'archived')),
  workflow json NOT NULL,
  settings json NOT NULL,
  variables json NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  published_at timestamptz(3),
  PRIMARY KEY (agent_uuid, number)
);
CREATE UNIQUE INDEX agent_versions_one_draft ON agent_versions (agent_uuid) WHERE status = 'draft';
CREATE UNIQUE INDEX agent_versions_one_published ON agent_versions (agent_uuid) WHERE status = 'published';

CREATE TABLE telephony_configs (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  name text NOT NULL,
  provider text NOT NULL,
  account text NOT NULL,
  credentials_sealed bytea NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  UNIQUE (organization_id, provider, account)
);

CREATE TABLE vendor_credentials (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  vendor text NOT NULL,
  name text NOT NULL,
  api_key_sealed bytea NOT NULL,
  base_url text,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  UNIQUE (organization_id, vendor, name)
);

CREATE TABLE quotas (
  user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  period text NOT NULL CHECK (period IN ('day', 'month')),
  minutes double precision CHECK (minutes >= 0),
  runs integer CHECK (runs >= 0)
);

-- A run counts wholly in the periods it was minted in; runs when minted, milliseconds when ended.
CREATE TABLE usage_counters (
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  period text NOT NULL CHECK (period IN ('day', 'month')),
  period_start timestamptz(3) NOT NULL,
  runs bigint NOT NULL,
  used_ms bigint NOT NULL,
  PRIMARY KEY (user_id, period, period_start)
);

CREATE TABLE runs (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  owner_user_id uuid NOT NULL REFERENCES users,
  agent_uuid uuid NOT NULL REFERENCES agents,
  agent_version integer NOT NULL,
  telephony_config_id uuid,
  call_type text NOT NULL DEFAULT 'inbound',
  mode text NOT NULL,
  state text NOT NULL CHECK (state IN ('initialized', 'running', 'completed', 'failed')),
  initial_context jsonb NOT NULL,
  gathered_context jsonb NOT NULL,
  logs jsonb NOT NULL DEFAULT '{}',
  session_id text,
  end_reason text,
  close_code integer,
  close_reason text,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  answered_at timestamptz(3),
  ended_at timestamptz(3),
  duration_ms bigint,
  usage jsonb NOT NULL DEFAULT '{}',
  cost jsonb NOT NULL DEFAULT '{}',
  latency jsonb NOT NULL DEFAULT '{}',
  recording_path text,
  node_id text NOT NULL,
  heartbeat_at timestamptz(3) NOT NULL,
  lease_expires_at timestamptz(3) NOT NULL,
  CHECK ((state IN ('completed', 'failed')) = (end_reason IS NOT NULL AND ended_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX runs_live ON runs (organization_id, agent_uuid) WHERE state IN ('initialized', 'running');
CREATE INDEX runs_live_of_node ON runs (node_id) WHERE state IN ('initialized', 'running');
CREATE UNIQUE INDEX runs_live_session ON runs (organization_id, mode, session_id) WHERE state IN ('initialized', 'running');
CREATE INDEX runs_newest ON runs (organization_id, id DESC);
CREATE INDEX runs_newest_of_agent ON runs (agent_uuid, id DESC);
CREATE INDEX runs_by_session ON runs (organization_id, session_id) WHERE session_id IS NOT NULL;

CREATE TABLE run_events (
  run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
  seq integer NOT NULL,
  at_ms double precision NOT NULL,
  type text NOT NULL,
  data jsonb NOT NULL,
  recorded_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, seq)
);

CREATE TABLE refusals (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  agent_uuid uuid NOT NULL,
  at timestamptz(3) NOT NULL DEFAULT now(),
  close_code integer NOT NULL,
  reason text NOT NULL
);
CREATE INDEX refusals_newest ON refusals (organization_id, id DESC);
`;
