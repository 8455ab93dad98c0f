/** Credentials of requests, sealed; tools may name one in place of their own. */
export const credentials = `
CREATE TABLE credentials (
  uuid uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  name text NOT NULL,
  fields_sealed bytea NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  UNIQUE (organization_id, name),
  UNIQUE (organization_id, uuid)
);
ALTER TABLE tools ADD COLUMN credential_uuid uuid,
  ADD FOREIGN KEY (organization_id, credential_uuid) REFERENCES credentials (organization_id, uuid),
  ADD CHECK (credential_sealed IS NULL OR credential_uuid IS NULL);
`;
