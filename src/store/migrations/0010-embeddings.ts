/** Vectors of documents' parts, and the work on them. */
export const embeddings = `
-- One per document that is to have vectors. A pending one always has its job: the trigger queues it in the transaction that makes it due.
CREATE TABLE document_embeddings (
  document_uuid uuid PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'ready', 'failed')),
  lane text NOT NULL,
  -- Who made the vectors; dimensions as asked for.
  vendor text,
  model text,
  dimensions integer,
  embedded_chunks integer NOT NULL DEFAULT 0,
  tries integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz(3) DEFAULT clock_timestamp(),
  claim uuid,
  claimed_until timestamptz(3),
  failure_code text,
  failure_message text,
  CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
);

CREATE INDEX document_embeddings_due ON document_embeddings (lane, document_uuid) WHERE status = 'pending';

-- float32, little-endian, of length 1.
CREATE TABLE document_vectors (
  document_uuid uuid NOT NULL REFERENCES document_embeddings ON DELETE CASCADE,
  position integer NOT NULL,
  vector bytea NOT NULL,
  PRIMARY KEY (document_uuid, position)
);
-- They do not compress.
ALTER TABLE document_vectors ALTER COLUMN vector SET STORAGE EXTERNAL;

CREATE FUNCTION queue_document_embedding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM graphile_worker.add_job('embed-document', json_build_object('documentUuid', NEW.document_uuid), queue_name => NEW.lane,
    run_at => NEW.next_attempt_at, job_key => 'embedding:' || NEW.document_uuid);
  RETURN NULL;
END
$$;
CREATE TRIGGER document_embeddings_queued AFTER INSERT OR UPDATE OF next_attempt_at ON document_embeddings
  FOR EACH ROW WHEN (NEW.status = 'pending') EXECUTE FUNCTION queue_document_embedding();

-- Another embedding model: all documents of the organization are gone through, by a job, since calls wait for the organization's row.
CREATE FUNCTION queue_organization_embeddings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM graphile_worker.add_job('queue-embeddings', json_build_object('organizationId', NEW.id), job_key => 'embeddings:' || NEW.id);
  RETURN NULL;
END
$$;
CREATE TRIGGER organizations_embeddings_changed AFTER UPDATE OF default_models ON organizations
  FOR EACH ROW WHEN ((OLD.default_models->'embeddings')::jsonb IS DISTINCT FROM (NEW.default_models->'embeddings')::jsonb)
  EXECUTE FUNCTION queue_organization_embeddings();
`;
