/** The 50 Hz input loop of the live page: reads the devices, asks for the takeover, sends the wish. */
import { createStore } from "zustand/vanilla";
import type { Phase } from "@/api/messages";
import { armChoices, drivenArm, nextArm } from "@/drive/arms";
import { type Axes, combine, type Intent, type Reading, ZERO } from "@/drive/axes";
import { type Ask, nextAsk, nextGripper } from "@/drive/engagement";
import { type PadReading, readGamepad } from "@/drive/gamepad";
import { Keyboard } from "@/drive/keyboard";
import {
  type Action,
  actionOf,
  HELD_ACTIONS,
  isTyping,
  type PressedAction,
  pressesFocus,
} from "@/drive/keymap";
import { isDue, maySend, PERIOD_MS } from "@/drive/pacing";
import { follow, type Press, RELEASED, type Spent } from "@/drive/press";
import { driveSettings } from "@/drive/settings";
import type { Puck } from "@/drive/spacemouse";
import type { RobotConnection } from "@/live/connection";
import { holdsLease, isWaiting, type LiveState } from "@/live/state";

/** The gripper's wish lasts longer than one step of the task, or latest-value-wins could lose it. */
const GRIPPER_MS = 250;

export interface Devices {
  readonly gamepad: string | null;
  readonly spacemouse: string | null;
}

export type Handlers = (action: PressedAction) => void;

export class Driver {
  readonly devices = createStore<Devices>(() => ({ gamepad: null, spacemouse: null }));
  /** Why the press that is held now drives no more: it has to be let go first. */
  readonly spent = createStore<{ readonly why: Spent }>(() => ({ why: null }));
  /** A dead-man is held on some device here, whether it counts or not. */
  readonly held = createStore<{ readonly deadman: boolean }>(() => ({ deadman: false }));
  private press: Press = RELEASED;
  /** The last wish, for the raw-axes display; read it, do not subscribe. */
  intent: Intent = { deadman: false, axes: ZERO, device: "keyboard" };
  /** Dialogs hold the robot still: while one is open nothing is driven. */
  private blocked = false;
  private readonly keyboard = new Keyboard();
  private puck: Puck | null = null;
  private sequence = 0;
  private gripper: -1 | 0 | 1 = 0;
  private gripperArm: string | null = null;
  private gripperUntilMs = 0;
  private padGripper = false;
  private refused = false;
  private noticeSeen = 0;
  private lastTickMs = 0;
  private robotTimeMs = Number.NEGATIVE_INFINITY;
  private sentMs = 0;
  private waitedMs = 0;
  private lastAsk: Ask = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly listening = new AbortController();

  constructor(
    private readonly connection: RobotConnection,
    private readonly onAction: Handlers,
  ) {}

  start(): void {
    const { signal } = this.listening;
    window.addEventListener("keydown", (event) => this.keyDown(event), { signal });
    window.addEventListener("keyup", (event) => this.keyUp(event), { signal });
    // Whatever takes the person's hands or eyes away: an explicit zero, at once.
    window.addEventListener("blur", () => this.letGo(), { signal });
    window.addEventListener("pagehide", () => this.letGo(), { signal });
    window.addEventListener("gamepaddisconnected", () => this.letGo(), { signal });
    document.addEventListener(
      "visibilitychange",
      () => {
        if (document.hidden) this.letGo();
      },
      { signal },
    );
    document.addEventListener("focusin", (event) => isTyping(event.target) && this.letGo(), {
      signal,
    });
    this.lastTickMs = performance.now();
    this.timer = setInterval(() => this.tick(performance.now(), "timer"), PERIOD_MS);
    this.connection.onRobotTime = (nowMs) => this.tick(nowMs, "robot_time");
  }

  stop(): void {
    this.letGo();
    this.connection.onRobotTime = null;
    clearInterval(this.timer);
    this.listening.abort();
    void this.puck?.close();
  }

  block(blocked: boolean): void {
    this.blocked = blocked;
    if (blocked) this.letGo();
  }

  toggleGripper(): void {
    const { arm } = this;
    const { telemetry } = this.connection.store.getState();
    const opening_m = (arm === null ? undefined : telemetry?.arms[arm]?.gripper_m) ?? 0;
    this.gripper = nextGripper(arm === this.gripperArm ? this.gripper : 0, opening_m);
    this.gripperArm = arm;
    this.gripperUntilMs = performance.now() + GRIPPER_MS;
  }

  /** Which arm is driven; null: the robot has not named its arms. */
  get arm(): string | null {
    return drivenArm(this.arms, armChoices.getState()[this.connection.robot]);
  }

  private get arms(): readonly string[] {
    return this.connection.store.getState().presence?.arms ?? [];
  }

  /** Drives another arm from now on; not while a dead-man is held. */
  chooseArm(arm: string): void {
    const nowMs = performance.now();
    if (this.readings(nowMs, 0).some((one) => one.deadman)) return; // the chooser says why
    armChoices.setState({ [this.connection.robot]: arm });
    // The robot takes the choice only from a message without the dead-man: one has to leave before
    // the next press, even where the last one has just left.
    this.intent = { deadman: false, axes: ZERO, device: this.intent.device };
    this.gripperUntilMs = 0;
    this.sentMs = Number.NEGATIVE_INFINITY;
    this.send(nowMs);
  }

  nextArm(): void {
    const arm = nextArm(this.arms, this.arm);
    if (arm !== null) this.chooseArm(arm);
  }

  markPhase(phase: Phase): void {
    this.connection.ask({ kind: "mark_phase", phase });
  }

  async openSpaceMouse(): Promise<void> {
    const { openSpaceMouse } = await import("@/drive/spacemouse");
    const puck = await openSpaceMouse();
    if (!puck) return;
    this.puck = puck;
    this.devices.setState({ spacemouse: puck.name });
    puck.onGripper(() => this.toggleGripper());
    puck.onGone(() => {
      this.puck = null;
      this.devices.setState({ spacemouse: null });
      this.letGo();
    });
  }

  /** Everything released; tells the robot now rather than at the next tick. */
  letGo(): void {
    this.keyboard.releaseAll();
    this.gripperUntilMs = 0;
    this.intent = { deadman: false, axes: ZERO, device: this.intent.device };
    this.send(performance.now());
  }

  private keyDown(event: KeyboardEvent): void {
    const { keys, singleKeys } = driveSettings.getState();
    const action = actionOf(keys, event.code);
    if (action === null || event.ctrlKey || event.metaKey || event.altKey) return;
    if (action === "stop") return; // every page listens for it
    if (!singleKeys || this.blocked || isTyping(event.target)) return;
    if (pressesFocus(event.code, event.target)) return;
    event.preventDefault();
    if (event.repeat) return;
    if (isPressed(action)) this.onAction(action);
    else this.keyboard.press(event.code);
  }

  private keyUp(event: KeyboardEvent): void {
    // Released keys count wherever the focus is.
    this.keyboard.release(event.code);
  }

  private readings(nowMs: number, dt_s: number): readonly Reading[] {
    const pad = readGamepad(navigator.getGamepads());
    this.seePad(pad);
    const found: Reading[] = [this.keyboard.read(driveSettings.getState().keys, dt_s)];
    if (pad) found.push(pad);
    if (this.puck) found.push(this.puck.read(nowMs));
    return found;
  }

  private seePad(pad: PadReading | null): void {
    const name = pad?.name ?? null;
    if (name !== this.devices.getState().gamepad) this.devices.setState({ gamepad: name });
    if (pad?.gripperPressed && !this.padGripper) this.toggleGripper();
    this.padGripper = pad?.gripperPressed ?? false;
  }

  private tick(nowMs: number, by: "robot_time" | "timer"): void {
    if (!isDue(by, nowMs - this.robotTimeMs)) return;
    if (by === "robot_time") this.robotTimeMs = nowMs;
    const dt_s = Math.min(0.1, (nowMs - this.lastTickMs) / 1000);
    this.lastTickMs = nowMs;
    const readings = this.readings(nowMs, dt_s);
    const deadman = readings.some((one) => one.deadman);
    if (deadman !== this.held.getState().deadman) this.held.setState({ deadman });
    const attended = !this.blocked && !document.hidden && document.hasFocus();
    const wished = combine(readings);
    const counts = attended && this.mayDrive(wished.deadman && attended);
    this.intent = counts ? wished : { ...this.intent, deadman: false, axes: ZERO };
    this.engage(nowMs);
    this.send(nowMs);
  }

  private mayDrive(deadman: boolean): boolean {
    const state = this.connection.store.getState();
    this.press = follow(this.press, {
      deadman,
      connection: connectionOf(state),
      driving: state.telemetry?.mode === "takeover" && holdsLease(state),
    });
    const why = this.press.spent;
    if (why !== this.spent.getState().why) this.spent.setState({ why });
    return why === null;
  }

  private engage(nowMs: number): void {
    const state = this.connection.store.getState();
    if (!state.telemetry) return;
    const { notice } = state;
    const asked = notice?.command === "acquire_lease" || notice?.command === "takeover";
    if (!this.intent.deadman) {
      this.refused = false;
      this.noticeSeen = notice?.number ?? 0;
    } else if (notice && notice.number > this.noticeSeen && asked) {
      this.refused = true;
    }
    const waiting = isWaiting(state, "acquire_lease") || isWaiting(state, "takeover");
    if (waiting) this.waitedMs = nowMs;
    const ask = nextAsk({
      deadman: this.intent.deadman,
      mode: state.telemetry.mode,
      leaseIsOurs: holdsLease(state),
      waiting,
      lastAsk: this.lastAsk,
      sinceWaitingMs: nowMs - this.waitedMs,
      refused: this.refused,
    });
    if (ask === null) return;
    this.lastAsk = ask;
    this.waitedMs = nowMs;
    if (ask === "acquire_lease") this.connection.ask({ kind: "acquire_lease", preempt: "" });
    if (ask === "takeover") {
      this.connection.ask({ kind: "takeover", device: this.intent.device, reason: "" });
    }
  }

  private send(nowMs: number): void {
    const state = this.connection.store.getState();
    if (!state.telemetry) return;
    const sending = {
      leaseIsOurs: holdsLease(state),
      free: state.telemetry.lease.client_id === null && connectionOf(state) !== null,
      deadman: this.intent.deadman,
      sinceSentMs: nowMs - this.sentMs,
    };
    if (!maySend(sending)) return;
    this.sentMs = nowMs;
    const { frame, speed } = driveSettings.getState();
    const axes: Axes = this.intent.deadman ? this.intent.axes : ZERO;
    this.sequence += 1;
    this.connection.drive({
      kind: "drive",
      sequence: this.sequence,
      lease_epoch: state.telemetry.lease.epoch,
      deadman: this.intent.deadman,
      arm: this.arm,
      axes: [...axes],
      gripper: this.intent.deadman && nowMs < this.gripperUntilMs ? this.gripper : 0,
      frame,
      speed_scale: speed,
      device: this.intent.device,
    });
  }
}

/** A new socket, and a robot that was away meanwhile, are another connection. */
function connectionOf({ link, linkSinceMs, presence, clientId }: LiveState): string | null {
  if (link !== "open" || presence?.connected !== true) return null;
  return `${clientId} ${linkSinceMs}`;
}

function isPressed(action: Action): action is PressedAction {
  return !(HELD_ACTIONS as readonly Action[]).includes(action);
}
