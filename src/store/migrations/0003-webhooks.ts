/**
 * Webhook endpoints, and the outbox of what is delivered to them and to the addresses of workflow nodes. A delivery that is pending always has
 * its job: the trigger queues one in the transaction that makes the delivery due (store/job-queue.ts runs them).
 */
export const webhooks = `
-- A UUID of version 7 (RFC 9562): ordered by time, to the millisecond.
CREATE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

CREATE TABLE webhook_endpoints (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  url text NOT NULL,
  description text NOT NULL,
  events text[] NOT NULL,
  enabled boolean NOT NULL,
  disabled_reason text,
  secret_sealed bytea NOT NULL,
  former_secret_sealed bytea,
  former_secret_expires_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  updated_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX webhook_endpoints_of_organization ON webhook_endpoints (organization_id, id DESC);

-- To an endpoint, or for a webhook node of the run's workflow. event_id is what receivers see: one per run and event.
CREATE TABLE webhook_deliveries (
  id uuid PRIMARY KEY DEFAULT uuid_v7(),
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  endpoint_id uuid REFERENCES webhook_endpoints ON DELETE CASCADE,
  run_id uuid REFERENCES runs ON DELETE CASCADE,
  node_id text,
  event_type text NOT NULL,
  event_id uuid NOT NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
  lane text NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  tries integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz(3) DEFAULT clock_timestamp(),
  claimed_until timestamptz(3),
  last_attempt_at timestamptz(3),
  outcome text,
  response_status integer,
  response_body text,
  body text,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)),
  CHECK ((endpoint_id IS NULL) = (node_id IS NOT NULL))
);
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (endpoint_id, event_id);
CREATE UNIQUE INDEX webhook_deliveries_once_per_node ON webhook_deliveries (run_id, node_id) WHERE node_id IS NOT NULL;
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, id DESC);
CREATE INDEX webhook_deliveries_of_organization ON webhook_deliveries (organization_id, id DESC);

CREATE FUNCTION queue_webhook_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM graphile_worker.add_job('deliver-webhook', json_build_object('deliveryId', NEW.id), queue_name => NEW.lane,
    run_at => NEW.next_attempt_at, job_key => 'webhook:' || NEW.id);
  RETURN NULL;
END
$$;
CREATE TRIGGER webhook_deliveries_queued AFTER INSERT OR UPDATE OF next_attempt_at ON webhook_deliveries
  FOR EACH ROW WHEN (NEW.status = 'pending') EXECUTE FUNCTION queue_webhook_delivery();
`;
