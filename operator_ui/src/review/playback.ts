/** Where playback is, in seconds of the episode; pure. A frame is shown only when all cameras have it. */

export const RATES = [0.1, 0.25, 0.5, 1, 2, 4] as const;

export interface Playback {
  readonly position_s: number;
  readonly playing: boolean;
  readonly rate: number;
}

export interface Track {
  readonly step_s: number;
  /** Records, so one more than actions. */
  readonly records: number;
}

/** Steps that somebody says something about; both are included. */
export interface StepRange {
  readonly first: number;
  readonly last: number;
}

export function indexAt(position_s: number, track: Track): number {
  // A hair above, so that k · step_s is step k in spite of rounding.
  const index = Math.floor(position_s / track.step_s + 1e-6);
  return Math.max(0, Math.min(track.records - 1, index));
}

export function seek(now: Playback, index: number, track: Track): Playback {
  const clipped = Math.max(0, Math.min(track.records - 1, Math.round(index)));
  return { ...now, position_s: clipped * track.step_s };
}

/** One frame on or back; stepping is a pause. */
export function stepBy(now: Playback, frames: number, track: Track): Playback {
  return { ...seek(now, indexAt(now.position_s, track) + frames, track), playing: false };
}

/** `ready(index)`: every camera's picture of that step is decoded. Waits rather than runs apart. */
export function advance(
  now: Playback,
  dt_s: number,
  track: Track,
  ready: (index: number) => boolean,
): Playback {
  if (!now.playing) return now;
  const end_s = (track.records - 1) * track.step_s;
  const next_s = Math.min(end_s, now.position_s + dt_s * now.rate);
  const [from, to] = [indexAt(now.position_s, track), indexAt(next_s, track)];
  if (to !== from && !ready(to)) return now;
  return { ...now, position_s: next_s, playing: next_s < end_s };
}

/** At the end, play starts over. */
export function toggle(now: Playback, track: Track): Playback {
  const atEnd = indexAt(now.position_s, track) >= track.records - 1;
  if (now.playing) return { ...now, playing: false };
  return { ...now, playing: true, position_s: atEnd ? 0 : now.position_s };
}
