// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { pullOf } from "@/drive/keyboard";
import {
  ACTIONS,
  actionOf,
  DEFAULT_KEYS,
  isTyping,
  pressesFocus,
  refusal,
  remap,
  restored,
} from "@/drive/keymap";

describe("the default keys", () => {
  it("give every action a key of its own", () => {
    expect(new Set(Object.values(DEFAULT_KEYS)).size).toBe(ACTIONS.length);
    for (const action of ACTIONS)
      expect(refusal(DEFAULT_KEYS, action, DEFAULT_KEYS[action])).toBeNull();
  });

  it("never give Escape anything to do", () => {
    expect(actionOf(DEFAULT_KEYS, "Escape")).toBeNull();
  });
});

describe("remapping", () => {
  it("refuses modifiers for the dead-man: five taps of Shift are Sticky Keys", () => {
    for (const code of ["ShiftLeft", "ControlRight", "AltLeft", "MetaLeft", "CapsLock"]) {
      expect(refusal(DEFAULT_KEYS, "deadman", code)).toBe("modifier");
    }
  });

  it("refuses a key that is taken, and keeps the map as it was", () => {
    expect(refusal(DEFAULT_KEYS, "gripper", "KeyW")).toBe("taken");
    expect(remap(DEFAULT_KEYS, "gripper", "KeyW")).toBe(DEFAULT_KEYS);
  });

  it("keeps the stop on a key that types nothing", () => {
    expect(refusal(DEFAULT_KEYS, "stop", "KeyX")).toBe("types");
    expect(remap(DEFAULT_KEYS, "stop", "F9").stop).toBe("F9");
  });

  it("restores what was stored, but nothing that would be refused", () => {
    expect(restored({ deadman: "KeyX" }).deadman).toBe("KeyX");
    expect(restored({ deadman: "ShiftLeft" })).toEqual(DEFAULT_KEYS);
    expect(restored({ deadman: "KeyW" })).toEqual(DEFAULT_KEYS);
    expect(restored("nonsense")).toEqual(DEFAULT_KEYS);
  });

  it("keeps a map from before an action existed, whose key somebody uses", () => {
    const {
      recovery: _,
      discard: __,
      home: ___,
      arm: ____,
      rewind: _____,
      ...older
    } = DEFAULT_KEYS;
    const mine = { ...older, deadman: "KeyX", gripper: "KeyP", note: "KeyH", pause: "KeyM" };
    const keys = restored(mine);
    expect(keys).toMatchObject(mine);
    expect(new Set(Object.values(keys)).size).toBe(Object.values(keys).length);
  });
});

describe("where the focus is", () => {
  it("leaves letters to text fields, not to check boxes", () => {
    const field = document.createElement("input");
    const box = Object.assign(document.createElement("input"), { type: "checkbox" });
    expect([isTyping(field), isTyping(box), isTyping(document.body)]).toEqual([true, false, false]);
  });

  it("leaves Enter and Space to the button that has the focus", () => {
    const button = document.createElement("button");
    expect(pressesFocus("Enter", button)).toBe(true);
    expect(pressesFocus("KeyV", button)).toBe(false);
    expect(pressesFocus("Enter", document.body)).toBe(false);
  });
});

it("turns held keys into axes; opposite keys cancel", () => {
  expect(pullOf(new Set(["KeyW", "KeyA", "KeyE"]), DEFAULT_KEYS)).toEqual([1, 1, 1, 0, 0, 0]);
  expect(pullOf(new Set(["KeyW", "KeyS"]), DEFAULT_KEYS)).toEqual([0, 0, 0, 0, 0, 0]);
});
