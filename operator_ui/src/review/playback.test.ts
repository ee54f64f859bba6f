import { describe, expect, it } from "vitest";
import { advance, indexAt, type Playback, seek, stepBy, toggle } from "@/review/playback";

const TRACK = { step_s: 0.1, records: 51 };
const START: Playback = { position_s: 0, playing: true, rate: 1 };
const always = () => true;

it("puts every step exactly on its own frame", () => {
  for (let index = 0; index < TRACK.records; index += 1) {
    expect(indexAt(seek(START, index, TRACK).position_s, TRACK)).toBe(index);
  }
});

describe("playing", () => {
  it("runs at its rate", () => {
    for (const rate of [0.1, 1, 4]) {
      const now = advance({ ...START, rate }, 0.5, TRACK, always);
      expect(now.position_s).toBeCloseTo(0.5 * rate);
    }
  });

  it("waits for the slowest camera", () => {
    const held = advance({ ...START, position_s: 0.19 }, 0.02, TRACK, () => false);
    expect(indexAt(held.position_s, TRACK)).toBe(1);
    expect(held.playing).toBe(true);
  });

  it("stops at the last frame, and starts over from there", () => {
    const end = advance({ ...START, position_s: 4.95 }, 1, TRACK, always);
    expect(end).toMatchObject({ playing: false });
    expect(indexAt(end.position_s, TRACK)).toBe(50);
    expect(toggle(end, TRACK)).toMatchObject({ playing: true, position_s: 0 });
  });
});

it("steps one frame, pauses, and stays inside", () => {
  const on = stepBy({ ...START, position_s: 0.3 }, 1, TRACK);
  expect([indexAt(on.position_s, TRACK), on.playing]).toEqual([4, false]);
  expect(indexAt(stepBy(START, -1, TRACK).position_s, TRACK)).toBe(0);
  expect(indexAt(seek(START, 999, TRACK).position_s, TRACK)).toBe(50);
});
