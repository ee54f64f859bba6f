/** What is known about one robot, and the pure rules by which it changes. */
import type {
  ClientUpdate,
  Command,
  CommandResult,
  InterventionTrained,
  Mode,
  RobotPresence,
  StopProgress,
  Telemetry,
  TrainingStatus,
} from "@/api/messages";
import { latched, type Situation } from "@/live/offers";
import { extend, type Segment } from "@/live/segments";

const KEPT_CORRECTIONS = 20;

export type Link = "connecting" | "open" | "lost";

/** STOP ROBOT (software): sent → acknowledged → stopped. `unsent`: there was no connection to send it. */
export type Stop =
  | { readonly phase: "idle" }
  | { readonly phase: "unsent"; readonly atMs: number }
  | { readonly phase: "sent"; readonly atMs: number }
  | { readonly phase: "acknowledged"; readonly atMs: number; readonly answerMs: number | null }
  | {
      readonly phase: "stopped";
      readonly atMs: number;
      readonly answerMs: number | null;
      /** From receipt at the robot until it stood still, by the robot's clock. */
      readonly brakingMs: number | null;
      readonly by: string | null;
    };

/** Something the person should read once; the number tells two equal ones apart. */
export interface Notice {
  readonly number: number;
  readonly kind: "refused" | "problem" | "not_connected";
  /** One plain sentence of the robot or the server; empty when the console has its own words. */
  readonly text: string;
  readonly command: Command | null;
}

export interface LiveState {
  readonly link: Link;
  readonly linkSinceMs: number;
  readonly clientId: string | null;
  readonly user: string | null;
  readonly presence: RobotPresence | null;
  /** Since when something is waited for: the server's first answer, then the robot's first report. */
  readonly startedAtMs: number | null;
  readonly telemetry: Telemetry | null;
  readonly telemetryAtMs: number;
  readonly waiting: Readonly<Record<string, { command: Command; atMs: number }>>;
  readonly stop: Stop;
  readonly notice: Notice | null;
  readonly training: TrainingStatus | null;
  readonly corrections: readonly InterventionTrained[];
  readonly segments: readonly Segment[];
  readonly segmentsOf: string | null;
}

export const UNKNOWN: LiveState = {
  link: "connecting",
  linkSinceMs: 0,
  clientId: null,
  user: null,
  presence: null,
  startedAtMs: null,
  telemetry: null,
  telemetryAtMs: 0,
  waiting: {},
  stop: { phase: "idle" },
  notice: null,
  training: null,
  corrections: [],
  segments: [],
  segmentsOf: null,
};

/** In place of a mode: `starting`, it has not reported yet; `unknown`, it does not report any more. */
export type ShownMode = Mode | "starting" | "unknown";

/** Telemetry comes 20 times a second: after this long without, what it said is not shown as now. */
const SILENT_MS = 3000;
/** Control, arm and cameras report within seconds of the robot's link; later there is a problem. */
export const STARTING_MS = 60_000;

export function shownMode(state: LiveState, nowMs: number): ShownMode {
  const { link, presence, telemetry } = state;
  if (telemetry === null) {
    const gone = link === "lost" || presence?.connected === false;
    const asked = nowMs - state.linkSinceMs > SILENT_MS; // the page itself has just been opened
    const late = asked && nowMs - (state.startedAtMs ?? nowMs) > STARTING_MS;
    return gone || late ? "unknown" : "starting";
  }
  if (link !== "open") return telemetry.mode; // the banner is faded, and a line says why
  const silent = nowMs - state.telemetryAtMs > SILENT_MS;
  return silent || presence?.connected === false ? "unknown" : telemetry.mode;
}

export function holdsLease(state: LiveState): boolean {
  const lease = state.telemetry?.lease;
  return lease?.client_id != null && lease.client_id === state.clientId;
}

/** Whether its holder is asked for it by this page. */
export function asksForLease(state: LiveState): boolean {
  const asker = state.telemetry?.lease.asked_client_id;
  return asker != null && asker === state.clientId;
}

/** Who holds it, as the page sees it. */
export function leaseOf(state: LiveState): Situation["lease"] {
  if (state.telemetry == null || state.telemetry.lease.holder === null) return "nobody";
  return holdsLease(state) ? "us" : "other";
}

export function isLatched(state: LiveState): boolean {
  return state.telemetry != null && latched(state.telemetry.mode);
}

/** Is this command still unanswered? */
export function isWaiting(state: LiveState, command: Command): boolean {
  return Object.values(state.waiting).some((request) => request.command === command);
}

function notify(
  state: LiveState,
  kind: Notice["kind"],
  text: string,
  command: Command | null = null,
): Notice {
  return { number: (state.notice?.number ?? 0) + 1, kind, text, command };
}

export function linked(state: LiveState, link: Link, nowMs: number): LiveState {
  if (state.link === link) return state;
  // Answers to what was asked over the old connection will not come.
  const startedAtMs = state.startedAtMs ?? nowMs;
  return { ...state, link, linkSinceMs: nowMs, startedAtMs, waiting: {} };
}

export function asked(state: LiveState, id: string, command: Command, nowMs: number): LiveState {
  const waiting = { ...state.waiting, [id]: { command, atMs: nowMs } };
  const stop: Stop = command === "stop" ? { phase: "sent", atMs: nowMs } : state.stop;
  return { ...state, waiting, stop };
}

/** A request that could not even be sent. */
export function unsent(state: LiveState, command: Command, nowMs: number): LiveState {
  const stop: Stop = command === "stop" ? { phase: "unsent", atMs: nowMs } : state.stop;
  return { ...state, stop, notice: notify(state, "not_connected", "", command) };
}

function withTelemetry(state: LiveState, telemetry: Telemetry, nowMs: number): LiveState {
  const { episode } = telemetry;
  const same = state.segmentsOf === episode.episode_id;
  let segments = same ? state.segments : [];
  if (episode.episode_id !== null && episode.stage === "running") {
    segments = extend(segments, {
      index: episode.step,
      source: telemetry.source,
      phase: telemetry.phase,
      interventionId: telemetry.intervention_id,
    });
  }
  return {
    ...state,
    telemetry,
    telemetryAtMs: nowMs,
    segments,
    segmentsOf: episode.episode_id,
    stop: stopAfter(state.stop, telemetry),
  };
}

/** The mode has the last word: a robot that is not latched any more was cleared. */
function stopAfter(stop: Stop, telemetry: Telemetry): Stop {
  if (telemetry.mode !== "stopped") {
    return stop.phase === "stopped" ? { phase: "idle" } : stop;
  }
  if (stop.phase === "stopped" || telemetry.moving) return stop;
  return {
    phase: "stopped",
    atMs: stop.phase === "idle" ? 0 : stop.atMs,
    answerMs: stop.phase === "acknowledged" ? stop.answerMs : null,
    brakingMs: null,
    by: null,
  };
}

function startedAt(state: LiveState, presence: RobotPresence, nowMs: number): number | null {
  const before = state.presence?.connected ?? false;
  return presence.connected && !before ? nowMs - 1000 * presence.since_s : state.startedAtMs;
}

function withProgress(state: LiveState, progress: StopProgress, nowMs: number): Stop {
  const { stop } = state;
  const atMs = stop.phase === "idle" ? nowMs : stop.atMs;
  const known = stop.phase === "acknowledged" || stop.phase === "stopped" ? stop.answerMs : null;
  const answerMs = stop.phase === "sent" ? nowMs - stop.atMs : known;
  if (progress.stopped_t_ns === null) return { phase: "acknowledged", atMs, answerMs };
  return {
    phase: "stopped",
    atMs,
    answerMs,
    brakingMs: (progress.stopped_t_ns - progress.received_t_ns) / 1e6,
    by: progress.by,
  };
}

function withResult(state: LiveState, result: CommandResult, nowMs: number): LiveState {
  const { [result.request_id]: request, ...waiting } = state.waiting;
  if (!request) return state; // somebody else's request
  const { stop } = state;
  const notice = result.accepted
    ? state.notice
    : notify(state, "refused", result.reason, request.command);
  if (result.command === "stop" && stop.phase === "sent" && result.accepted) {
    const acknowledged: Stop = {
      phase: "acknowledged",
      atMs: stop.atMs,
      answerMs: nowMs - stop.atMs,
    };
    return { ...state, waiting, notice, stop: acknowledged };
  }
  return { ...state, waiting, notice };
}

export function received(state: LiveState, update: ClientUpdate, nowMs: number): LiveState {
  switch (update.kind) {
    case "telemetry":
      return withTelemetry(state, update, nowMs);
    case "client_welcome":
      return { ...state, clientId: update.client_id, user: update.user };
    case "robot_presence":
      return { ...state, presence: update, startedAtMs: startedAt(state, update, nowMs) };
    case "command_result":
      return withResult(state, update, nowMs);
    case "stop_progress":
      return { ...state, stop: withProgress(state, update, nowMs) };
    case "training_status":
      return { ...state, training: update };
    case "intervention_trained":
      return { ...state, corrections: [update, ...state.corrections].slice(0, KEPT_CORRECTIONS) };
    case "problem":
      return { ...state, notice: notify(state, "problem", update.message) };
    case "robot_time": // the connection answers it
    case "simulator_truth":
    case "lockstep_turn":
      return state; // the console is neither a scripted operator nor part of lock-step
  }
}
