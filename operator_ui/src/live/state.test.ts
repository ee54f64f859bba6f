import { describe, expect, it } from "vitest";
import type { ClientUpdate, Telemetry } from "@/api/messages";
import {
  asked,
  type LiveState,
  linked,
  received,
  STARTING_MS,
  shownMode,
  UNKNOWN,
  unsent,
} from "@/live/state";

const TELEMETRY: Telemetry = {
  kind: "telemetry",
  t_ns: 1,
  mode: "autonomous",
  cause: "",
  fault: null,
  source: "policy",
  phase: null,
  intervention_id: null,
  lease: {
    epoch: 1,
    holder: null,
    client_id: null,
    suspended: false,
    since_s: 0,
    asked_by: null,
    asked_client_id: null,
    asked_s: null,
  },
  arms: {
    arm: {
      tcp_position_m: [0, 0, 0],
      tcp_quaternion_wxyz: [1, 0, 0, 0],
      reference_position_m: [0, 0, 0],
      tcp_twist: [0, 0, 0, 0, 0, 0],
      wrench: [0, 0, 0, 0, 0, 0],
      gripper_m: 0,
      force_n: 0,
      force_limit_n: 20,
      torque_nm: 0,
      torque_limit_nm: 15,
    },
  },
  speed_m_s: 0,
  speed_limit_m_s: 1,
  limit_profiles: [],
  limits: [],
  risk: null,
  policy_version: 1,
  inference_ms: 1,
  action_age_ms: 1,
  episode: {
    episode_id: "e",
    number: 1,
    stage: "running",
    purpose: "training",
    seed: 1,
    step: 0,
    max_steps: 100,
    human_steps: 0,
    interventions: 0,
    elapsed_s: 0,
    instructions: "",
    success_seen: false,
    start_refusal: "",
  },
  loop: {
    period_p50_us: 1,
    period_p99_us: 1,
    period_p999_us: 1,
    period_max_us: 1,
    latency_p50_us: 1,
    latency_p99_us: 1,
    latency_p999_us: 1,
    latency_max_us: 1,
    missed_ticks: 0,
    real_time_factor: 1,
  },
  outbox: {
    pending: 0,
    recorded_steps: 0,
    acknowledged_sequence: 0,
    last_sequence: 0,
    connected: true,
    free_bytes: 1,
    accepting: true,
    set_aside: 0,
    refill: 0,
    lost: 0,
  },
  frame_age_ms: {},
  device_axes: null,
  device_name: null,
  round_trip_ms: null,
  moving: true,
};

function result(accepted: boolean, reason = "", command = "stop"): ClientUpdate {
  return {
    kind: "command_result",
    request_id: "r",
    client_id: "c",
    command,
    accepted,
    reason,
    t_ns: 1,
  };
}

function hearing(state: LiveState, ...updates: readonly ClientUpdate[]): LiveState {
  return updates.reduce((now, update, index) => received(now, update, 1000 + index), state);
}

describe("STOP ROBOT", () => {
  const sent = asked(UNKNOWN, "r", "stop", 960);
  const braking: ClientUpdate = {
    kind: "stop_progress",
    by: "ada",
    received_t_ns: 5e6,
    braking_t_ns: 6e6,
    stopped_t_ns: null,
  };
  const stopped: ClientUpdate = { ...braking, stopped_t_ns: 89e6 };

  it("goes from sent to acknowledged to stopped, with both times", () => {
    expect(sent.stop).toEqual({ phase: "sent", atMs: 960 });
    expect(hearing(sent, result(true)).stop).toEqual({
      phase: "acknowledged",
      atMs: 960,
      answerMs: 40,
    });
    expect(hearing(sent, result(true), braking, stopped).stop).toEqual({
      phase: "stopped",
      atMs: 960,
      answerMs: 40,
      brakingMs: 84,
      by: "ada",
    });
  });

  it("shows somebody else's stop", () => {
    expect(hearing(UNKNOWN, stopped).stop).toMatchObject({ phase: "stopped", by: "ada" });
  });

  it("is stopped when the page opens on a robot that stands stopped", () => {
    const still: Telemetry = { ...TELEMETRY, mode: "stopped", moving: false };
    expect(hearing(UNKNOWN, still).stop.phase).toBe("stopped");
  });

  it("is idle again once the robot was cleared, not before", () => {
    const still: Telemetry = { ...TELEMETRY, mode: "stopped", moving: false };
    const latched = hearing(sent, result(true), stopped, still);
    expect(latched.stop.phase).toBe("stopped");
    expect(hearing(latched, { ...TELEMETRY, mode: "idle" }).stop.phase).toBe("idle");
  });

  it("survives telemetry that was under way when it was sent", () => {
    expect(hearing(sent, TELEMETRY).stop.phase).toBe("sent");
  });

  it("says so when it could not be sent", () => {
    const lost = unsent(UNKNOWN, "stop", 5);
    expect(lost.stop).toEqual({ phase: "unsent", atMs: 5 });
    expect(lost.notice?.kind).toBe("not_connected");
  });
});

describe("answers", () => {
  it("shows a refusal of our request in the robot's words", () => {
    const waiting = asked(UNKNOWN, "r", "takeover", 0);
    const refused = hearing(waiting, result(false, "ada has control", "takeover"));
    expect(refused.notice).toMatchObject({ kind: "refused", text: "ada has control" });
    expect(refused.waiting).toEqual({});
  });

  it("ignores answers to other people", () => {
    expect(hearing(UNKNOWN, result(false, "no"))).toBe(UNKNOWN);
  });

  it("waits no longer for what was asked over a lost connection", () => {
    expect(linked(asked(UNKNOWN, "r", "pause", 0), "lost", 1).waiting).toEqual({});
  });
});

describe("the live timeline", () => {
  it("grows with the steps and starts anew with the next episode", () => {
    const step = (n: number, part: Partial<Telemetry> = {}): Telemetry => ({
      ...TELEMETRY,
      ...part,
      episode: { ...TELEMETRY.episode, step: n },
    });
    const one = hearing(
      UNKNOWN,
      step(0),
      step(1),
      step(2, { source: "human", phase: "recovery", intervention_id: "a" }),
    );
    expect(one.segments.map(({ driver }) => driver)).toEqual(["policy", "recovery"]);
    const next = { ...TELEMETRY, episode: { ...TELEMETRY.episode, episode_id: "f", step: 0 } };
    expect(hearing(one, next).segments).toHaveLength(1);
  });

  it("does not grow after the episode has ended", () => {
    const over: Telemetry = {
      ...TELEMETRY,
      source: "hold",
      episode: { ...TELEMETRY.episode, stage: "await_label", step: 9 },
    };
    const before = hearing(UNKNOWN, TELEMETRY);
    expect(hearing(before, over).segments).toBe(before.segments);
  });
});

describe("what is shown in place of a mode", () => {
  const presence = (connected: boolean, since_s = 0): ClientUpdate => ({
    kind: "robot_presence",
    robot: "r",
    connected,
    task: "lift_cube",
    arms: ["arm"],
    cameras: [],
    failure_classes: [],
    emergency_stop: "",
    simulated: true,
    since_s,
  });
  const open = linked(UNKNOWN, "open", 1000);
  const here = received(open, presence(true), 1100);

  it("is a start while the server, then the robot's parts, are waited for", () => {
    expect(shownMode(UNKNOWN, 90_000)).toBe("starting");
    expect(shownMode(open, 1000)).toBe("starting");
    expect(shownMode(here, 1100 + STARTING_MS)).toBe("starting");
    expect(shownMode(received(here, TELEMETRY, 1200), 1200)).toBe("autonomous");
  });

  it("is no data when nothing has come for too long, also before the page was opened", () => {
    expect(shownMode(here, 1101 + STARTING_MS)).toBe("unknown");
    const old = received(open, presence(true, 600), 1100);
    expect(shownMode(old, 1100)).toBe("starting"); // for the moment until its telemetry comes
    expect(shownMode(old, 4100)).toBe("unknown");
  });

  it("is no data without a robot or a server", () => {
    expect(shownMode(received(open, presence(false), 1100), 1100)).toBe("unknown");
    expect(shownMode(linked(UNKNOWN, "lost", 1), 1)).toBe("unknown");
  });

  it("is no data once telemetry was there and went away", () => {
    const driving = received(here, TELEMETRY, 1200);
    expect(shownMode(driving, 4200)).toBe("autonomous");
    expect(shownMode(driving, 4201)).toBe("unknown");
    expect(shownMode(received(driving, presence(false), 1300), 1300)).toBe("unknown");
    expect(shownMode(linked(driving, "lost", 9000), 9000)).toBe("autonomous");
  });

  it("starts anew when the robot has dialled in again", () => {
    const back = received(received(open, presence(false), 70_000), presence(true), 90_000);
    expect(shownMode(back, 90_000 + STARTING_MS)).toBe("starting");
  });
});
