/** One robot's control and telemetry socket: dials, dials again, and feeds the store. */
import { createStore, type StoreApi } from "zustand/vanilla";
import type { ClientMessage, ClientUpdate, Drive, Wish } from "@/api/messages";
import { RobotClock } from "@/live/clock";
import { asked, type LiveState, linked, received, UNKNOWN, unsent } from "@/live/state";

const REDIAL_MS = [250, 500, 1000, 2000];
/** A socket that says nothing for this long is half-open: drop it and dial again. */
const SILENCE_MS = 3000;
/** A stop that could not be sent is sent when the connection is back within this time. */
const STOP_KEPT_MS = 10_000;
const CHECK_MS = 500;
/** Drive messages are dropped, not queued, when the network takes fewer than are made. */
const BUFFERED_BYTES = 4096;

export function socketUrl(path: string): string {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${window.location.host}${path}`;
}

export class RobotConnection {
  readonly store: StoreApi<LiveState> = createStore<LiveState>(() => UNKNOWN);
  readonly clock = new RobotClock();
  /** Called with every robot time: what answers it at once is as young as can be. */
  onRobotTime: ((nowMs: number) => void) | null = null;
  private socket: WebSocket | null = null;
  private attempts = 0;
  private redial: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setInterval> | undefined;
  private heardMs = 0;
  private checkedMs = 0;
  private closed = true;

  constructor(readonly robot: string) {}

  open(): void {
    if (!this.closed) return;
    this.closed = false;
    this.dial();
    this.watch = setInterval(() => this.checkSilence(), CHECK_MS);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.redial);
    clearInterval(this.watch);
    this.socket?.close();
    this.socket = null;
  }

  /** Asks the robot for something; its id, or null when it could not be sent. */
  ask(wish: Wish): string | null {
    const id = crypto.randomUUID();
    const message = { ...wish, request_id: id, echo_t_ns: this.clock.newestNs };
    const nowMs = performance.now();
    if (!this.send(message)) {
      this.update((state) => unsent(state, wish.kind, nowMs));
      return null;
    }
    this.update((state) => asked(state, id, wish.kind, nowMs));
    return id;
  }

  drive(message: Omit<Drive, "echo_t_ns">): boolean {
    if ((this.socket?.bufferedAmount ?? 0) > BUFFERED_BYTES) return false;
    return this.send({ ...message, echo_t_ns: this.clock.newestNs });
  }

  private send(message: ClientMessage): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private update(change: (state: LiveState) => LiveState): void {
    this.store.setState(change(this.store.getState()), true);
  }

  private dial(): void {
    const socket = new WebSocket(socketUrl(`/api/live/robots/${encodeURIComponent(this.robot)}`));
    this.socket = socket;
    this.heardMs = performance.now();
    socket.onopen = () => {
      this.attempts = 0;
      this.update((state) => linked(state, "open", performance.now()));
      const { stop } = this.store.getState();
      if (stop.phase === "unsent" && performance.now() - stop.atMs < STOP_KEPT_MS) {
        this.ask({ kind: "stop" });
      }
    };
    socket.onmessage = (event: MessageEvent<string>) => this.hear(event.data);
    socket.onclose = () => this.lost(socket);
  }

  private hear(data: string): void {
    const nowMs = performance.now();
    this.heardMs = nowMs;
    const update = JSON.parse(data) as ClientUpdate;
    if (update.kind === "robot_time") {
      this.clock.observe(update.t_ns, nowMs);
      this.onRobotTime?.(nowMs);
      return; // 50 times a second, and nothing of it is shown
    }
    if (update.kind === "telemetry") this.clock.observe(update.t_ns, nowMs);
    this.update((state) => received(state, update, nowMs));
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket || this.closed) return;
    this.socket = null;
    this.update((state) => linked(state, "lost", performance.now()));
    const wait = REDIAL_MS[Math.min(this.attempts, REDIAL_MS.length - 1)];
    this.attempts += 1;
    this.redial = setTimeout(() => this.dial(), wait);
  }

  private checkSilence(): void {
    const { socket } = this;
    const nowMs = performance.now();
    // A page that was frozen or busy has heard nothing by its own fault: what came waits to be read.
    if (nowMs - this.checkedMs > 2 * CHECK_MS) this.heardMs = nowMs;
    this.checkedMs = nowMs;
    const present = this.store.getState().presence?.connected ?? false;
    if (socket?.readyState !== WebSocket.OPEN || !present) return;
    if (nowMs - this.heardMs < SILENCE_MS) return;
    socket.onclose = null;
    socket.close();
    this.lost(socket);
  }
}
