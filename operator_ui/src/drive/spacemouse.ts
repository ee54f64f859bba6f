/** A SpaceMouse at this computer, through WebHID; loaded when a person asks for it. */
import type { Rotation, Translation } from "@spacemouse-lib/core";
import { getOpenedSpaceMice, requestSpaceMice, setupSpaceMouse } from "spacemouse-webhid";
import { type Axes, type Reading, shape, ZERO } from "@/drive/axes";

/** Full deflection in the device's counts. */
const FULL_COUNTS = 350;
const DEAD_BAND = 0.08;
const EXPONENT = 1.4;
/** A device that has been silent this long has been let go: its last report must not go on moving. */
const SILENT_MS = 150;

/** From the device (x right, y towards the person, z down) to x forward, y left, z up. */
export function puckAxes(move: Translation, turn: Rotation): Axes {
  const raw: Axes = [-move.y, -move.x, -move.z, -turn.roll, -turn.pitch, -turn.yaw];
  return shape(raw.map((count) => count / FULL_COUNTS) as unknown as Axes, DEAD_BAND, EXPONENT);
}

export interface Puck {
  readonly name: string;
  read(nowMs: number): Reading;
  onGripper(listen: () => void): void;
  onGone(listen: () => void): void;
  close(): Promise<void>;
}

/** Asks for a SpaceMouse unless one was allowed before; null: the person chose none. */
export async function openSpaceMouse(): Promise<Puck | null> {
  const known = await getOpenedSpaceMice();
  const [device] = known.length > 0 ? known : await requestSpaceMice();
  if (!device) return null;
  const mouse = await setupSpaceMouse(device);
  let move: Translation = { x: 0, y: 0, z: 0 };
  let turn: Rotation = { pitch: 0, roll: 0, yaw: 0 };
  let heardMs = 0;
  mouse.on("translate", (next) => {
    move = next;
    heardMs = performance.now();
  });
  mouse.on("rotate", (next) => {
    turn = next;
    heardMs = performance.now();
  });
  const [deadmanButton, gripperButton] = [0, 1];
  return {
    name: device.productName || "SpaceMouse",
    read: (nowMs) => ({
      device: "browser_spacemouse", // "spacemouse" is the one at the robot PC
      axes: nowMs - heardMs > SILENT_MS ? ZERO : puckAxes(move, turn),
      deadman: mouse.getButtons().get(deadmanButton) ?? false,
      sharesDeadman: true,
    }),
    onGripper: (listen) => {
      mouse.on("down", (button) => {
        if (button === gripperButton) listen();
      });
    },
    onGone: (listen) => {
      mouse.on("disconnected", listen);
      mouse.on("error", listen);
    },
    close: () => mouse.close(),
  };
}
