import { describe, expect, it } from "vitest";
import {
  ANSWERED_MS,
  ASKED_MS,
  answered,
  follow,
  NOTHING,
  type Takeover,
  unasked,
} from "@/live/takeover";

const FIRST: Takeover = { interventionId: "one", episodeId: "e", marked: false };
const MARKED: Takeover = { ...FIRST, marked: true };
const SECOND: Takeover = { ...FIRST, interventionId: "two" };

/** Sees these one after the other, at times 0, 1, 2 … ms. */
function seen(...takeovers: readonly (Takeover | null)[]) {
  return takeovers.reduce((watch, now, ms) => follow(watch, now, ms), NOTHING);
}

describe("the question after a takeover", () => {
  it("comes when the takeover is over, and only then", () => {
    expect(seen(null, FIRST, FIRST).question).toBeNull();
    expect(seen(null, FIRST, null).question).toEqual({
      takeover: FIRST,
      answer: null,
      untilMs: 2 + ASKED_MS,
    });
  });

  it("knows that key C was pressed, also when the person released in the same moment", () => {
    expect(seen(FIRST, MARKED, FIRST, null).question?.takeover.marked).toBe(true);
    expect(seen(MARKED, null, SECOND, null).question?.takeover).toEqual(SECOND);
  });

  it("goes by itself, and when the person drives again", () => {
    const open = seen(FIRST, null);
    expect(follow(open, null, ASKED_MS)).toBe(open);
    expect(follow(open, null, ASKED_MS + 1)).toEqual(NOTHING);
    expect(follow(open, SECOND, 5)).toEqual({ driving: SECOND, question: null });
  });

  it("shows the answer for a moment; it can be changed until then", () => {
    const once = answered(seen(FIRST, null), "discard", 100);
    expect(once.question).toMatchObject({ answer: "discard", untilMs: 100 + ANSWERED_MS });
    expect(answered(once, "recovery", 200).question?.answer).toBe("recovery");
    expect(follow(once, null, 100 + ANSWERED_MS)).toEqual(NOTHING);
  });

  it("is not answered when it is not asked", () => {
    expect(answered(NOTHING, "discard", 0)).toBe(NOTHING);
  });
});

describe("what counts while nobody has answered", () => {
  it("is the usual choice, and key C where it was pressed", () => {
    expect(unasked(FIRST, "recovery", null)).toBe("recovery");
    expect(unasked(MARKED, "recovery", null)).toBeNull();
    expect(unasked(MARKED, "recovery", SECOND.interventionId)).toBeNull();
  });

  it("is the correction when key C came after the usual choice was sent", () => {
    expect(unasked(MARKED, "recovery", FIRST.interventionId)).toBe("correction");
  });
});
