/**
 * After a takeover the console asks what it is for training. Pure.
 *
 * The question holds nothing up: the robot goes on at once, the person's usual choice counts from
 * the beginning, and an answer within the time replaces it.
 */
import type { InterventionUse } from "@/api/messages";
import { holdsLease, type LiveState } from "@/live/state";

/** How long the question stays. */
export const ASKED_MS = 10_000;
/** How long an answer is shown before the question goes. */
export const ANSWERED_MS = 2_500;

export interface Takeover {
  readonly interventionId: string;
  readonly episodeId: string;
  /** Key C was pressed: the steps after it are the correction, whatever is usual. */
  readonly marked: boolean;
}

export interface Question {
  readonly takeover: Takeover;
  readonly answer: InterventionUse | null;
  readonly untilMs: number;
}

export interface Watch {
  readonly driving: Takeover | null;
  readonly question: Question | null;
}

export const NOTHING: Watch = { driving: null, question: null };

/** The takeover that this page drives now, if training may use it. */
export function takeoverOf(state: LiveState): Takeover | null {
  const { telemetry } = state;
  if (telemetry === null || telemetry.mode !== "takeover" || !holdsLease(state)) return null;
  const { episode, intervention_id: interventionId } = telemetry;
  // A demonstration is imitated as a whole, an evaluation trains nothing: there is nothing to ask.
  if (interventionId === null || episode.episode_id === null) return null;
  if (episode.purpose !== "training") return null;
  const marked = telemetry.phase === "correction";
  return { interventionId, episodeId: episode.episode_id, marked };
}

/** What follows from what is seen now. A new takeover closes the question about the last one. */
export function follow(before: Watch, now: Takeover | null, nowMs: number): Watch {
  const { driving, question } = before;
  if (now !== null) {
    const marked = now.marked || (driving?.interventionId === now.interventionId && driving.marked);
    if (driving?.interventionId === now.interventionId && driving.marked === marked) return before;
    return { driving: { ...now, marked }, question: null };
  }
  if (driving !== null) {
    return {
      driving: null,
      question: { takeover: driving, answer: null, untilMs: nowMs + ASKED_MS },
    };
  }
  return question !== null && nowMs >= question.untilMs ? NOTHING : before;
}

/**
 * What is sent while nobody has answered; null: key C says it all.
 *
 * `told`: the takeover for which the usual choice went out when its driver left the page. That
 * outweighs a key C that is pressed later, so key C is then told as well.
 */
export function unasked(
  takeover: Takeover,
  usual: InterventionUse,
  told: string | null,
): InterventionUse | null {
  if (!takeover.marked) return usual;
  return told === takeover.interventionId ? "correction" : null;
}

export function answered(before: Watch, answer: InterventionUse, nowMs: number): Watch {
  if (before.question === null) return before;
  return { ...before, question: { ...before.question, answer, untilMs: nowMs + ANSWERED_MS } };
}
