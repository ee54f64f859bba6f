/** Durations as people say them. */

export function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function agoText(iso: string, nowMs: number): string {
  return durationText(Math.max(0, (nowMs - Date.parse(iso)) / 1000));
}

/** Of a control loop: microseconds below one millisecond. */
export function tickText(us: number): string {
  return us < 1000 ? `${us.toFixed(0)} µs` : `${(us / 1000).toFixed(1)} ms`;
}
