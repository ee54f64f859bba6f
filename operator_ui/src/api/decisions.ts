/** Sends what a person decided about takeovers: in order, each until the server has it. */
import { createStore } from "zustand/vanilla";
import { ServerError } from "@/api/client";
import type { InterventionUse } from "@/api/messages";

export interface Decision {
  readonly decisionId: string;
  readonly episodeId: string;
  readonly interventionId: string;
  readonly use: InterventionUse;
  readonly byDefault: boolean;
}

export type Send = (decision: Decision) => Promise<unknown>;

const PAUSES_MS = [500, 1000, 2000, 5000];
/** After this long without a server the person is told to say it again in review. */
const PATIENCE_MS = 120_000;

export interface Sending {
  /** It is being tried again. */
  readonly late: boolean;
  /** One that will not be stored: the server's sentence, or empty when it was never reached. */
  readonly failed: string | null;
}

export class DecisionQueue {
  readonly state = createStore<Sending>(() => ({ late: false, failed: null }));
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly send: Send,
    private readonly pause: (ms: number) => Promise<void> = (ms) =>
      new Promise((resolve) => setTimeout(resolve, ms)),
  ) {}

  /** Resolves when it is stored or given up. The same id is sent again: it is stored once. */
  put(decision: Omit<Decision, "decisionId">): Promise<void> {
    const whole = { ...decision, decisionId: crypto.randomUUID() };
    this.last = this.last.then(() => this.deliver(whole));
    return this.last;
  }

  private async deliver(decision: Decision): Promise<void> {
    let waitedMs = 0;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.send(decision);
        this.state.setState({ late: false, failed: null });
        return;
      } catch (error) {
        const refused = error instanceof ServerError && error.status < 500;
        if (refused || waitedMs >= PATIENCE_MS) {
          this.state.setState({ late: false, failed: refused ? error.message : "" });
          return;
        }
      }
      this.state.setState({ late: true, failed: null });
      const ms = PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)] ?? 0;
      waitedMs += ms;
      await this.pause(ms);
    }
  }
}
