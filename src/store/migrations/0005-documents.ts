/** Documents of organizations: their text, in parts. The uploaded files themselves are not kept. */
export const documents = `
CREATE TABLE documents (
  uuid uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  name text NOT NULL,
  mime_type text NOT NULL,
  size_bytes integer NOT NULL,
  mode text NOT NULL CHECK (mode IN ('retrieval', 'full')),
  text_length integer NOT NULL,
  chunk_count integer NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX documents_of_organization ON documents (organization_id, uuid DESC);

CREATE TABLE document_chunks (
  document_uuid uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
  position integer NOT NULL,
  heading text[] NOT NULL,
  page integer,
  text text NOT NULL,
  PRIMARY KEY (document_uuid, position)
);
`;
