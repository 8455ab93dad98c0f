/**
 * When a run's recording is to be deleted, and by which node: the one with the data directory that holds the file. Known before the call is
 * recorded, so that the file of a call whose node died is not kept for ever.
 */
export const recordingRetention = `
ALTER TABLE runs
  ADD COLUMN recording_store uuid,
  ADD COLUMN recording_retention_days integer CHECK (recording_retention_days >= 1),
  ADD COLUMN recording_expires_at timestamptz(3),
  ADD COLUMN recording_deleted_at timestamptz(3);
CREATE INDEX runs_recordings_to_delete ON runs (recording_store, recording_expires_at, id)
  WHERE recording_expires_at IS NOT NULL AND recording_deleted_at IS NULL;
`;
