/** `m:ss` of a duration, `h:mm:ss` from an hour on; a dash where there is none. */
export function formatDuration(durationMs: number | null | undefined): string {
  if (durationMs === null || durationMs === undefined) return '-';
  const seconds = Math.round(durationMs / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const [hours = 0, minutes = 0, rest = 0] = parts;
  const tail = `${String(minutes).padStart(hours > 0 ? 2 : 1, '0')}:${String(rest).padStart(2, '0')}`;
  return hours > 0 ? `${hours}:${tail}` : tail;
}

/** A point on the call clock as `m:ss.t`. */
export function formatCallTime(atMs: number): string {
  const tenths = Math.max(0, Math.round(atMs / 100));
  const minutes = Math.floor(tenths / 600);
  const seconds = Math.floor(tenths / 10) % 60;
  return `${minutes}:${String(seconds).padStart(2, '0')}.${tenths % 10}`;
}

/** An RFC 3339 time as `YYYY-MM-DD HH:MM:SS` in UTC; a dash where there is none. */
export function formatTime(time: string | null | undefined): string {
  return time === null || time === undefined ? '-' : time.slice(0, 19).replace('T', ' ');
}

/** A value as text: strings as they are, nothing as a dash, the rest as JSON. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
