import { describe, expect, it } from "vitest";
import { drivenArm, nextArm } from "@/drive/arms";

describe("the driven arm", () => {
  it("is the chosen one, and the first as long as nothing was chosen", () => {
    expect(drivenArm(["left", "right"], "right")).toBe("right");
    expect(drivenArm(["left", "right"], undefined)).toBe("left");
  });

  it("is the first again when the robot comes back without the chosen one", () => {
    expect(drivenArm(["front", "rear"], "right")).toBe("front");
  });

  it("is none before the robot has named its arms", () => {
    expect(drivenArm([], "right")).toBeNull();
    expect(nextArm([], null)).toBeNull();
  });

  it("moves on to the next and starts over after the last", () => {
    expect(nextArm(["left", "right", "torso"], "right")).toBe("torso");
    expect(nextArm(["left", "right", "torso"], "torso")).toBe("left");
    expect(nextArm(["arm"], "arm")).toBe("arm");
  });
});
