/** The keys that are held now, as a device. */
import { type Axes, type Reading, ramp, ZERO } from "@/drive/axes";
import { HELD_ACTIONS, type HeldAction, type KeyMap } from "@/drive/keymap";

type Pull = readonly [axis: number, direction: 1 | -1];

const PULLS: Readonly<Record<Exclude<HeldAction, "deadman">, Pull>> = {
  forward: [0, 1],
  back: [0, -1],
  left: [1, 1],
  right: [1, -1],
  up: [2, 1],
  down: [2, -1],
  roll_left: [3, -1],
  roll_right: [3, 1],
  pitch_up: [4, -1],
  pitch_down: [4, 1],
  yaw_left: [5, 1],
  yaw_right: [5, -1],
};

export function pullOf(held: ReadonlySet<string>, keys: KeyMap): Axes {
  const axes: [number, number, number, number, number, number] = [0, 0, 0, 0, 0, 0];
  for (const action of HELD_ACTIONS) {
    if (action === "deadman" || !held.has(keys[action])) continue;
    const [axis, direction] = PULLS[action];
    axes[axis] = (axes[axis] ?? 0) + direction;
  }
  return axes;
}

export class Keyboard {
  private readonly held = new Set<string>();
  private axes: Axes = ZERO;

  press(code: string): void {
    this.held.add(code);
  }

  release(code: string): void {
    this.held.delete(code);
  }

  releaseAll(): void {
    this.held.clear();
    this.axes = ZERO;
  }

  read(keys: KeyMap, dt_s: number): Reading {
    this.axes = ramp(this.axes, pullOf(this.held, keys), dt_s);
    return {
      device: "keyboard",
      axes: this.axes,
      deadman: this.held.has(keys.deadman),
      sharesDeadman: false,
    };
  }
}
