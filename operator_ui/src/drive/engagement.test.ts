import { describe, expect, it } from "vitest";
import {
  type LocalSituation,
  localTakeover,
  nextAsk,
  nextGripper,
  type Situation,
} from "@/drive/engagement";
import { padAxes } from "@/drive/gamepad";

const HELD: Situation = {
  deadman: true,
  mode: "autonomous",
  leaseIsOurs: false,
  waiting: false,
  lastAsk: null,
  sinceWaitingMs: 0,
  refused: false,
};

describe("holding the dead-man", () => {
  it("asks for the lease, then for the takeover", () => {
    expect(nextAsk(HELD)).toBe("acquire_lease");
    expect(nextAsk({ ...HELD, leaseIsOurs: true })).toBe("takeover");
  });

  it("asks once: not while an answer is due, not again after a refusal", () => {
    expect(nextAsk({ ...HELD, waiting: true })).toBeNull();
    expect(nextAsk({ ...HELD, refused: true })).toBeNull();
  });

  it("gives telemetry time to show an answer, however long the answer took", () => {
    const asked: Situation = { ...HELD, leaseIsOurs: true, lastAsk: "takeover" };
    expect(nextAsk({ ...asked, sinceWaitingMs: 200 })).toBeNull();
    expect(nextAsk({ ...asked, sinceWaitingMs: 400 })).toBe("takeover");
    expect(nextAsk({ ...asked, lastAsk: "acquire_lease" })).toBe("takeover");
  });

  it("never takes over a robot that is latched, resetting or driven already", () => {
    for (const mode of ["stopped", "fault", "resetting", "takeover"] as const) {
      expect(nextAsk({ ...HELD, leaseIsOurs: true, mode })).toBeNull();
    }
  });

  it("takes over a robot that goes back by itself", () => {
    expect(nextAsk({ ...HELD, leaseIsOurs: true, mode: "rewinding" })).toBe("takeover");
  });

  it("asks for nothing when it is let go", () => {
    expect(nextAsk({ ...HELD, deadman: false })).toBeNull();
  });
});

it("closes an open gripper first, then alternates", () => {
  expect([
    nextGripper(0, 0.08),
    nextGripper(0, 0),
    nextGripper(-1, 0.08),
    nextGripper(1, 0),
  ]).toEqual([-1, 1, 1, -1]);
});

it("reads a gamepad in the robot's axes: stick up is forward, stick left is left", () => {
  const buttons = Array.from({ length: 16 }, (_, n) => ({
    pressed: n === 7,
    value: n === 7 ? 1 : 0,
  }));
  expect(padAxes({ axes: [-1, -1, 0, 0], buttons })).toEqual([1, 1, 1, 0, 0, 0]);
});

describe("taking over with the device at the robot", () => {
  const here: LocalSituation = {
    device: "spacemouse",
    mode: "autonomous",
    leaseIsOurs: true,
    waiting: false,
  };

  it("is offered to whoever holds the lease", () => {
    expect(localTakeover(here)).toBe("ready");
    expect(localTakeover({ ...here, leaseIsOurs: false })).toBe("needs_lease");
    expect(localTakeover({ ...here, waiting: true })).toBe("waiting");
  });

  it("is not offered without a device, nor where no takeover can begin", () => {
    expect(localTakeover({ ...here, device: null })).toBe("absent");
    for (const mode of ["takeover", "resetting", "stopped", "fault"] as const) {
      expect(localTakeover({ ...here, mode })).toBe("absent");
    }
  });
});
