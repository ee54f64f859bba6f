/** A gamepad of the "standard" layout: sticks move and turn, triggers go up and down, LB is the dead-man. */
import { type Axes, type Reading, shape } from "@/drive/axes";

const DEAD_BAND = 0.12;
const EXPONENT = 1.6;

const LEFT_BUMPER = 4;
const LEFT_TRIGGER = 6;
const RIGHT_TRIGGER = 7;
const PAD_LEFT = 14;
const PAD_RIGHT = 15;
/** The button that opens or closes the gripper. */
export const GRIPPER_BUTTON = 2;

export interface PadState {
  readonly axes: readonly number[];
  readonly buttons: readonly { readonly pressed: boolean; readonly value: number }[];
}

export function padAxes(pad: PadState): Axes {
  const axis = (index: number) => pad.axes[index] ?? 0;
  const button = (index: number) => pad.buttons[index]?.value ?? 0;
  const raw: Axes = [
    -axis(1),
    -axis(0),
    button(RIGHT_TRIGGER) - button(LEFT_TRIGGER),
    button(PAD_RIGHT) - button(PAD_LEFT),
    axis(3),
    -axis(2),
  ];
  return shape(raw, DEAD_BAND, EXPONENT);
}

export interface PadReading extends Reading {
  readonly name: string;
  readonly gripperPressed: boolean;
}

/** The first standard gamepad that is plugged in. */
export function readGamepad(pads: readonly (Gamepad | null)[]): PadReading | null {
  const pad = pads.find((one) => one?.connected && one.mapping === "standard");
  if (!pad) return null;
  return {
    device: "gamepad",
    name: pad.id,
    axes: padAxes(pad),
    deadman: pad.buttons[LEFT_BUMPER]?.pressed ?? false,
    sharesDeadman: false,
    gripperPressed: pad.buttons[GRIPPER_BUTTON]?.pressed ?? false,
  };
}
