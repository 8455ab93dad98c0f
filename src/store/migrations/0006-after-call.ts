/** What calls cost, an organization's own prices and the spend of its users; and what is judged of calls once they have ended. */
export const afterCall = `
ALTER TABLE organizations ADD COLUMN prices json, ADD COLUMN prices_updated_at timestamptz(3);

-- Millionths of a US dollar. Runs counted apart of which something has no price.
ALTER TABLE usage_counters ADD COLUMN cost_micros bigint NOT NULL DEFAULT 0, ADD COLUMN partly_priced_runs bigint NOT NULL DEFAULT 0;

ALTER TABLE runs ADD COLUMN analysis jsonb;

-- Runs to be judged. A pending one always has its job: the trigger queues it in the transaction that makes it due.
CREATE TABLE run_analyses (
  run_id uuid PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'settled')),
  lane text NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz(3) DEFAULT clock_timestamp(),
  claimed_until timestamptz(3),
  progress jsonb,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
);

CREATE FUNCTION queue_run_analysis() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM graphile_worker.add_job('analyse-run', json_build_object('runId', NEW.run_id), queue_name => NEW.lane,
    run_at => NEW.next_attempt_at, job_key => 'analysis:' || NEW.run_id);
  RETURN NULL;
END
$$;
CREATE TRIGGER run_analyses_queued AFTER INSERT OR UPDATE OF next_attempt_at ON run_analyses
  FOR EACH ROW WHEN (NEW.status = 'pending') EXECUTE FUNCTION queue_run_analysis();
`;
