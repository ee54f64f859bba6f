/**
 * "Keep going": a simulated robot trains episode after episode with nobody at the keys. Pure.
 *
 * The person switches it on; whatever a person should look at switches it off, and only a person
 * switches it on again. It never labels, never clears, never takes the lease.
 */
import type { Command, EpisodeStage, Mode } from "@/api/messages";
import { isWaiting, type LiveState, leaseOf } from "@/live/state";

/** Between reaching a stage and leaving it: long enough to be seen, and to switch off. */
export const DWELL_MS = 500;
/** Between the robot's answer and the telemetry that shows it. */
const SETTLE_MS = 1000;

export type OffReason =
  | "stop"
  | "fault"
  | "takeover_lost"
  | "held"
  | "connection"
  | "hidden"
  | "refused";

export type Move = "confirm_reset" | "start_episode";

export interface Continuation {
  readonly on: boolean;
  /** Why it switched itself off; null after a person did. */
  readonly off: OffReason | null;
  readonly mode: Mode | null;
  readonly stage: EpisodeStage | null;
  readonly stageSinceMs: number;
  readonly askedMs: number | null;
  /** The newest notice that is not about this continuation. */
  readonly noticeSeen: number;
}

export interface Situation {
  readonly simulated: boolean;
  readonly connected: boolean;
  readonly hidden: boolean;
  readonly mode: Mode;
  readonly stage: EpisodeStage;
  readonly holder: "nobody" | "us" | "other";
  readonly leaseSuspended: boolean;
  readonly stopping: boolean;
  /** Newest notice, and what it is about; the server does not say which command its problem is. */
  readonly notice: number;
  readonly noticeAbout: Command | "problem" | "other";
  /** A request of ours is unanswered. */
  readonly waiting: boolean;
}

const MOVES = ["confirm_reset", "start_episode"] as const satisfies readonly Move[];

export const OFF: Continuation = {
  on: false,
  off: null,
  mode: null,
  stage: null,
  stageSinceMs: 0,
  askedMs: null,
  noticeSeen: 0,
};

/** What the live state means here; null before the robot has said anything. */
export function situationOf(state: LiveState, hidden: boolean): Situation | null {
  const { telemetry, presence, notice, stop } = state;
  if (telemetry === null || presence === null) return null;
  const { lease } = telemetry;
  return {
    simulated: presence.simulated,
    connected: state.link === "open" && presence.connected,
    hidden,
    mode: telemetry.mode,
    stage: telemetry.episode.stage,
    holder: leaseOf(state),
    leaseSuspended: lease.suspended,
    stopping: stop.phase !== "idle" && stop.phase !== "stopped",
    notice: notice?.number ?? 0,
    noticeAbout: notice?.kind === "problem" ? "problem" : (notice?.command ?? "other"),
    waiting: MOVES.some((move) => isWaiting(state, move)),
  };
}

/** A person throws the switch. Where it may not run, it stays off and says why. */
export function switched(on: boolean, now: Situation, nowMs: number): Continuation {
  if (!on || !now.simulated) return OFF;
  const begun = { ...OFF, on, stage: now.stage, stageSinceMs: nowMs, noticeSeen: now.notice };
  const off = objection(begun, now);
  return off === null ? begun : { ...OFF, off };
}

function objection(before: Continuation, now: Situation): OffReason | null {
  if (now.mode === "stopped" || now.stopping) return "stop";
  if (now.mode === "fault") return "fault";
  if (!now.connected) return "connection";
  if (now.hidden) return "hidden";
  // Giving back leads to autonomous or idle; only a lost person leaves a paused robot.
  if (now.leaseSuspended || (before.mode === "takeover" && now.mode === "paused")) {
    return "takeover_lost";
  }
  if (now.holder === "other") return "held";
  if (now.notice <= before.noticeSeen) return null;
  const ours = now.noticeAbout === "problem" && before.askedMs !== null;
  return ours || MOVES.some((move) => move === now.noticeAbout) ? "refused" : null;
}

function due({ mode, stage }: Situation): Move | null {
  if (mode !== "idle") return null;
  if (stage === "confirm_reset") return "confirm_reset";
  return stage === "ready" ? "start_episode" : null;
}

/** What follows from what is seen now: the next state, and what to ask the robot for, if anything. */
export function follow(
  before: Continuation,
  now: Situation,
  nowMs: number,
): { readonly next: Continuation; readonly ask: Move | null } {
  if (!before.on) return { next: before, ask: null };
  if (!now.simulated) return { next: OFF, ask: null };
  const off = objection(before, now);
  if (off !== null) return { next: { ...OFF, off }, ask: null };
  const moved = before.stage !== now.stage;
  const next: Continuation = {
    ...before,
    mode: now.mode,
    stage: now.stage,
    stageSinceMs: moved ? nowMs : before.stageSinceMs,
    askedMs: moved ? null : before.askedMs,
    noticeSeen: now.notice,
  };
  const ask = due(now);
  const dwelt = nowMs - next.stageSinceMs >= DWELL_MS;
  const settled = next.askedMs === null || nowMs - next.askedMs >= SETTLE_MS;
  if (ask === null || now.waiting || !dwelt || !settled) return { next, ask: null };
  return { next: { ...next, askedMs: nowMs }, ask };
}
