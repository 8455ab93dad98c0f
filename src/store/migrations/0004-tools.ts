/** Tools that agents' nodes name by UUID, each with its credential sealed. */
export const tools = `
CREATE TABLE tools (
  uuid uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  name text NOT NULL,
  description text NOT NULL,
  kind text NOT NULL,
  config json NOT NULL,
  filler json,
  credential_sealed bytea,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  UNIQUE (organization_id, name)
);
`;
