import { describe, expect, it } from "vitest";
import type { AnnotationRow } from "@/api/queries";
import { markAt, marksOf } from "@/review/success";

function row(id: string, first: number, last: number, shows: boolean | null): AnnotationRow {
  return {
    annotation_id: id,
    first_index: first,
    last_index: last,
    failure_class: null,
    text: "",
    shows_success: shows,
    author: "ada",
    t_utc: "2026-01-01T12:00:00Z",
    replaces: null,
    withdrawn: false,
  };
}

describe("marks on frames", () => {
  const marks = marksOf([row("a", 0, 9, false), row("b", 3, 4, null), row("c", 8, 8, true)]);

  it("are the annotations that say whether a frame shows success", () => {
    expect(marks.map(({ id }) => id)).toEqual(["a", "c"]);
  });

  it("count by the newest one on a frame", () => {
    expect(markAt(marks, 7)?.success).toBe(false);
    expect(markAt(marks, 8)?.success).toBe(true);
    expect(markAt(marks, 10)).toBeUndefined();
  });
});
