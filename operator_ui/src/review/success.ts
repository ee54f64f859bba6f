/** Frames that a person marked for a success classifier. */
import type { AnnotationRow } from "@/api/queries";

export interface Mark {
  readonly id: string;
  readonly first: number;
  readonly last: number;
  readonly success: boolean;
}

/** Of annotations that count, oldest first. */
export function marksOf(rows: readonly AnnotationRow[]): readonly Mark[] {
  return rows.flatMap((row) =>
    row.shows_success === null
      ? []
      : [
          {
            id: row.annotation_id,
            first: row.first_index,
            last: row.last_index,
            success: row.shows_success,
          },
        ],
  );
}

/** What is said of a frame: of two marks the newer one counts. */
export function markAt(marks: readonly Mark[], index: number): Mark | undefined {
  return marks.findLast((mark) => mark.first <= index && index <= mark.last);
}
