/** Short recordings that agents play, as 8 kHz mu-law: any node plays them. At most 480 kB each, stored outside the row by PostgreSQL itself. */
export const audioClips = `
CREATE TABLE audio_clips (
  uuid uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
  name text NOT NULL,
  transcript text NOT NULL,
  duration_ms integer NOT NULL,
  audio bytea NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX audio_clips_of_organization ON audio_clips (organization_id, uuid DESC);
-- Mu-law does not compress.
ALTER TABLE audio_clips ALTER COLUMN audio SET STORAGE EXTERNAL;
`;
