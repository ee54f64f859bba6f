/**
 * Shaping of what a hand does into axes of the robot. Pure: values in, values out.
 *
 * Axes are [x, y, z, rx, ry, rz] in −1 … 1: x forward, y left, z up, rotations right-handed about them.
 */

export type Axes = readonly [number, number, number, number, number, number];

export const ZERO: Axes = [0, 0, 0, 0, 0, 0];

/** A key is all or nothing: ramping its onset makes a short tap a small motion. Letting go is at once. */
const KEY_ONSET_S = 0.15;

const each = (axes: Axes, change: (value: number, index: number) => number): Axes =>
  axes.map(change) as unknown as Axes;

/** Not a number counts as no wish. */
export function clamp(value: number): number {
  return Number.isFinite(value) ? Math.min(1, Math.max(-1, value)) : 0;
}

/** Zero within the dead-band, then from 0 to 1 over the rest; `exponent` > 1 is finer around the centre. */
export function curve(value: number, deadBand: number, exponent: number): number {
  const size = Math.abs(clamp(value));
  if (size <= deadBand) return 0;
  return Math.sign(value) * ((size - deadBand) / (1 - deadBand)) ** exponent;
}

export function shape(axes: Axes, deadBand: number, exponent: number): Axes {
  return each(axes, (value) => curve(value, deadBand, exponent));
}

/** Moves towards `wished` by at most the onset rate; releasing and reversing start from zero at once. */
export function ramp(now: Axes, wished: Axes, dt_s: number): Axes {
  const most = dt_s / KEY_ONSET_S;
  return each(wished, (target, index) => {
    const from = now[index] ?? 0;
    const start = Math.sign(from) === Math.sign(target) ? from : 0;
    if (Math.abs(target) <= Math.abs(start)) return target;
    return clamp(start + Math.sign(target) * Math.min(most, Math.abs(target - start)));
  });
}

export interface Reading {
  readonly device: string;
  readonly axes: Axes;
  /** This device's own dead-man is held. */
  readonly deadman: boolean;
  /** The dead-man of the keyboard enables this device too (a SpaceMouse under the other hand). */
  readonly sharesDeadman: boolean;
}

export interface Intent {
  readonly deadman: boolean;
  readonly axes: Axes;
  readonly device: string;
}

const effort = (axes: Axes): number => Math.max(...axes.map(Math.abs));

/** A device counts only while its dead-man is held: a stick that is stuck on a desk moves nothing. */
export function combine(readings: readonly Reading[]): Intent {
  const shared = readings.some((reading) => reading.deadman && reading.device === "keyboard");
  const live = readings.filter((one) => one.deadman || (one.sharesDeadman && shared));
  const strongest = live.reduce<Reading | null>(
    (best, one) => (best && effort(best.axes) >= effort(one.axes) ? best : one),
    null,
  );
  if (!strongest) return { deadman: false, axes: ZERO, device: "keyboard" };
  const axes = each(ZERO, (_, index) =>
    clamp(live.reduce((sum, one) => sum + clamp(one.axes[index] ?? 0), 0)),
  );
  return { deadman: true, axes, device: strongest.device };
}

export const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1] as const;

export function nextSpeed(speed: number, direction: 1 | -1): number {
  const allowed = direction > 0 ? SPEEDS.filter((s) => s > speed) : SPEEDS.filter((s) => s < speed);
  return (direction > 0 ? allowed[0] : allowed.at(-1)) ?? speed;
}
