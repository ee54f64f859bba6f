/** Who drove, as runs of equal source and phase: the live timeline and the review paint the same runs. */
import type { InterventionUse, Phase, Source } from "@/api/messages";

export type Driver =
  | "policy"
  | "recovery"
  | "correction"
  | "discarded"
  | "rewind"
  | "reset"
  | "hold";

export interface Segment {
  readonly driver: Driver;
  readonly interventionId: string | null;
  /** First step, and one past the last. */
  readonly start: number;
  readonly end: number;
}

export interface Moment {
  readonly index: number;
  readonly source: Source;
  readonly phase: Phase | null;
  readonly interventionId: string | null;
}

export function driverOf(source: Source, phase: Phase | null): Driver {
  if (source !== "human") return source;
  return phase === "correction" ? "correction" : "recovery";
}

/** Adds one moment; steps that were not seen belong to the run before them. */
export function extend(segments: readonly Segment[], moment: Moment): readonly Segment[] {
  const driver = driverOf(moment.source, moment.phase);
  const interventionId = moment.source === "human" ? moment.interventionId : null;
  const last = segments.at(-1);
  if (!last) {
    return [{ driver, interventionId, start: moment.index, end: moment.index + 1 }];
  }
  if (moment.index < last.start) return segments;
  if (last.driver === driver && last.interventionId === interventionId) {
    if (moment.index < last.end) return segments;
    return [...segments.slice(0, -1), { ...last, end: moment.index + 1 }];
  }
  // Within one step the last word counts: that is who drove when it was read.
  const start = Math.max(moment.index, last.start + 1);
  const before = { ...last, end: start };
  return [...segments.slice(0, -1), before, { driver, interventionId, start, end: start + 1 }];
}

export function segmentsOf(moments: Iterable<Moment>): readonly Segment[] {
  const found: Segment[] = [];
  for (const moment of moments) {
    const driver = driverOf(moment.source, moment.phase);
    const interventionId = moment.source === "human" ? moment.interventionId : null;
    const last = found.at(-1);
    if (last && last.driver === driver && last.interventionId === interventionId) {
      found[found.length - 1] = { ...last, end: moment.index + 1 };
    } else {
      found.push({ driver, interventionId, start: moment.index, end: moment.index + 1 });
    }
  }
  return found;
}

/** As people decided about the takeovers since; without a decision the phases stay. */
export function decided(
  segments: readonly Segment[],
  uses: ReadonlyMap<string, InterventionUse>,
): readonly Segment[] {
  const marked = new Set(
    segments.filter((one) => one.driver === "correction").map((one) => one.interventionId),
  );
  return segments.map((segment) => {
    const use = segment.interventionId === null ? undefined : uses.get(segment.interventionId);
    if (use === "discard") return { ...segment, driver: "discarded" };
    if (use === "recovery") return { ...segment, driver: "recovery" };
    const whole = use === "correction" && !marked.has(segment.interventionId);
    return whole ? { ...segment, driver: "correction" } : segment;
  });
}

export interface Intervention {
  readonly id: string;
  readonly start: number;
  readonly end: number;
}

/** Recovery and correction of one takeover are one intervention. */
export function interventionsOf(segments: readonly Segment[]): readonly Intervention[] {
  const byId = new Map<string, Intervention>();
  for (const segment of segments) {
    if (segment.interventionId === null) continue;
    const known = byId.get(segment.interventionId);
    byId.set(segment.interventionId, {
      id: segment.interventionId,
      start: known?.start ?? segment.start,
      end: segment.end,
    });
  }
  return [...byId.values()];
}
