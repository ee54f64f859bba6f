/** What a key or a button of the live page asks the robot for. */
import type { Command, Purpose, Wish } from "@/api/messages";
import { nextSpeed } from "@/drive/axes";
import type { PressedAction } from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";
import type { RobotConnection } from "@/live/connection";
import { holdsLease } from "@/live/state";

export interface Label {
  readonly failureClass: string | null;
  readonly note: string;
}

export interface Choices {
  readonly label: Label;
  readonly purpose: Purpose;
}

/** What these need the lease for, they take with them when nobody else holds it. */
const UNDER_LEASE: ReadonlySet<Command> = new Set<Command>([
  "start_episode",
  "label",
  "begin_reset",
  "confirm_reset",
  "resume",
  "rewind",
]);

export function request(connection: RobotConnection, wish: Wish): void {
  const state = connection.store.getState();
  const free = state.telemetry !== null && state.telemetry.lease.holder === null;
  const loosens = wish.kind === "set_limit_profile" && !wish.on;
  if ((UNDER_LEASE.has(wish.kind) || loosens) && free && !holdsLease(state)) {
    connection.ask({ kind: "acquire_lease", preempt: "" });
  }
  connection.ask(wish);
}

export type Done = "labelled" | { readonly failureClass: string | null } | null;

export function act(connection: RobotConnection, action: PressedAction, choices: Choices): Done {
  const { telemetry, presence } = connection.store.getState();
  const ask = (wish: Wish): null => {
    request(connection, wish);
    return null;
  };
  switch (action) {
    case "stop":
      return ask({ kind: "stop" });
    case "start":
      return ask({
        kind: "start_episode",
        purpose: choices.purpose,
        seed: null,
        policy_version: null,
      });
    case "pause":
      return ask({ kind: telemetry?.mode === "paused" ? "resume" : "pause" });
    case "rewind":
      return ask({ kind: "rewind" });
    case "give_back":
      return ask({ kind: "end_takeover" });
    case "correction":
      return ask({ kind: "mark_phase", phase: "correction" });
    case "success":
      request(connection, {
        kind: "label",
        outcome: "success",
        failure_class: null,
        note: choices.label.note,
      });
      return "labelled";
    case "failure":
      request(connection, {
        kind: "label",
        outcome: "failure",
        failure_class: choices.label.failureClass,
        note: choices.label.note,
      });
      return "labelled";
    case "reset":
      return telemetry?.episode.stage === "confirm_reset"
        ? ask({ kind: "confirm_reset" })
        : ask({ kind: "begin_reset", seed: null });
    case "frame":
      driveSettings.setState(({ frame }) => ({ frame: frame === "base" ? "tool" : "base" }));
      return null;
    case "slower":
      driveSettings.setState(({ speed }) => ({ speed: nextSpeed(speed, -1) }));
      return null;
    case "faster":
      driveSettings.setState(({ speed }) => ({ speed: nextSpeed(speed, 1) }));
      return null;
    case "class_1":
    case "class_2":
    case "class_3":
    case "class_4":
    case "class_5":
    case "class_6":
    case "class_7":
    case "class_8":
    case "class_9": {
      // A number chooses; it never ends an episode by itself.
      const chosen = presence?.failure_classes[Number(action.slice(-1)) - 1];
      if (chosen === undefined) return null;
      return { failureClass: chosen === choices.label.failureClass ? null : chosen };
    }
    case "home":
      return ask({ kind: "begin_reset", seed: null });
    case "recovery":
    case "discard": // answers, while the page asks what a takeover was for
    case "arm":
    case "gripper":
    case "note":
    case "help":
      return null; // done by the page itself
  }
}
