import { describe, expect, it } from "vitest";
import {
  type Axes,
  combine,
  curve,
  nextSpeed,
  type Reading,
  ramp,
  shape,
  ZERO,
} from "@/drive/axes";

const FORWARD: Axes = [1, 0, 0, 0, 0, 0];

function reading(part: Partial<Reading>): Reading {
  return { device: "keyboard", axes: ZERO, deadman: false, sharesDeadman: false, ...part };
}

describe("the curve of a stick", () => {
  it("is zero within the dead-band and starts from zero outside", () => {
    expect(curve(0.1, 0.1, 1.5)).toBe(0);
    expect(curve(0.1001, 0.1, 1.5)).toBeLessThan(0.001);
  });

  it("reaches exactly one, keeps the sign and never leaves the range", () => {
    expect(curve(1, 0.1, 1.6)).toBe(1);
    expect(curve(-1, 0.1, 1.6)).toBe(-1);
    expect(curve(7, 0.1, 1.6)).toBe(1);
  });

  it("takes what is not a number for no wish", () => {
    expect(shape([Number.NaN, Number.POSITIVE_INFINITY, 0, 0, 0, 0], 0.1, 1)).toEqual(ZERO);
  });

  it("rises all the way", () => {
    const values = Array.from({ length: 101 }, (_, n) => curve(n / 100, 0.12, 1.6));
    expect(values).toEqual(values.toSorted((a, b) => a - b));
  });
});

describe("the ramp of a key", () => {
  it("takes 0.15 s to full deflection", () => {
    let axes = ZERO;
    for (let tick = 0; tick < 7; tick += 1) axes = ramp(axes, FORWARD, 0.02);
    expect(axes[0]).toBeCloseTo(0.14 / 0.15);
    expect(ramp(axes, FORWARD, 0.02)[0]).toBe(1);
  });

  it("lets go at once", () => {
    expect(ramp(FORWARD, ZERO, 0.02)).toEqual(ZERO);
  });

  it("starts from zero when the direction turns", () => {
    const [x] = ramp(FORWARD, [-1, 0, 0, 0, 0, 0], 0.015);
    expect(x).toBeCloseTo(-0.1);
  });
});

describe("combining devices", () => {
  it("moves nothing without a dead-man", () => {
    expect(combine([reading({ axes: FORWARD })])).toMatchObject({ deadman: false, axes: ZERO });
  });

  it("ignores a stick that is stuck while the keyboard drives", () => {
    const stuck = reading({ device: "gamepad", axes: [0, 1, 0, 0, 0, 0] });
    const intent = combine([reading({ axes: FORWARD, deadman: true }), stuck]);
    expect(intent).toEqual({ deadman: true, axes: FORWARD, device: "keyboard" });
  });

  it("lets the keyboard's dead-man enable a SpaceMouse, and names the device that moves", () => {
    const puck = reading({ device: "spacemouse", axes: [0, 0, 0.4, 0, 0, 0], sharesDeadman: true });
    const intent = combine([reading({ deadman: true }), puck]);
    expect(intent).toMatchObject({ deadman: true, device: "spacemouse" });
    expect(intent.axes[2]).toBeCloseTo(0.4);
  });

  it("keeps the sum of two devices in range", () => {
    const puck = reading({
      device: "spacemouse",
      axes: FORWARD,
      deadman: true,
      sharesDeadman: true,
    });
    expect(combine([reading({ axes: FORWARD, deadman: true }), puck]).axes[0]).toBe(1);
  });
});

it("steps the speed through its stages and stops at the ends", () => {
  expect(nextSpeed(0.5, 1)).toBe(0.75);
  expect(nextSpeed(0.5, -1)).toBe(0.25);
  expect(nextSpeed(1, 1)).toBe(1);
  expect(nextSpeed(0.1, -1)).toBe(0.1);
});
