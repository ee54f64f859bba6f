/** What was the takeover for? Asked over the pictures, answered with one key, never in the way. */
import { useCallback, useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";
import { createStore, type StoreApi } from "zustand/vanilla";
import { DecisionQueue } from "@/api/decisions";
import type { InterventionUse } from "@/api/messages";
import { postDecision } from "@/api/queries";
import { Check, Cross, Home } from "@/app/icons";
import classes from "@/cockpit/takeover.module.css";
import { keyName, type PressedAction } from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";
import type { RobotConnection } from "@/live/connection";
import {
  ANSWERED_MS,
  ASKED_MS,
  answered,
  follow,
  NOTHING,
  type Question,
  type Takeover,
  takeoverOf,
  unasked,
  type Watch,
} from "@/live/takeover";

const LOOK_MS = 100;

/** One for all visits of the page: an old default must not overtake a newer answer. */
const queue = new DecisionQueue(postDecision);

interface Left {
  /** The takeover whose driver left the page, so that its usual choice was sent. */
  readonly told: string | null;
}

/** Outlives a reload. */
const left = createStore<Left>()(
  persist((): Left => ({ told: null }), {
    name: "robot-rl.takeover",
    storage: createJSONStorage(() => sessionStorage),
  }),
);

/** Which key gives which answer. */
export const ANSWERS = {
  correction: "correction",
  recovery: "recovery",
  discard: "discard",
} as const satisfies Partial<Record<PressedAction, InterventionUse>>;
type Answer = keyof typeof ANSWERS;

const LOOKS = [
  { action: "correction", Icon: Check },
  { action: "recovery", Icon: Home },
  { action: "discard", Icon: Cross },
] as const satisfies readonly { action: Answer; Icon: unknown }[];

export interface TakeoverQuestion {
  readonly store: StoreApi<Watch>;
  readonly queue: DecisionQueue;
  /** Whether the question was open, so that the key has done its work. */
  answer(action: PressedAction): boolean;
}

/** Follows this page's takeovers; what is usual is sent at once, so that nothing waits. */
export function useTakeoverQuestion(connection: RobotConnection): TakeoverQuestion {
  const store = useMemo(() => createStore<Watch>(() => NOTHING), []);
  const say = useCallback(
    ({ episodeId, interventionId }: Takeover, use: InterventionUse, byDefault: boolean) =>
      void queue.put({ episodeId, interventionId, use, byDefault }),
    [],
  );
  useEffect(() => {
    const sayUnasked = (takeover: Takeover) => {
      const use = unasked(takeover, driveSettings.getState().takeoverUse, left.getState().told);
      if (use !== null) say(takeover, use, true);
    };
    const look = () => {
      const before = store.getState();
      const next = follow(before, takeoverOf(connection.store.getState()), performance.now());
      if (next === before) return;
      store.setState(next, true);
      const opened = before.question === null && next.question !== null;
      if (opened && next.question !== null) sayUnasked(next.question.takeover);
    };
    // Nobody can be asked any more: what is usual counts.
    const leave = () => {
      const { driving } = store.getState();
      store.setState(NOTHING, true);
      if (driving === null) return;
      sayUnasked(driving);
      if (!driving.marked) left.setState({ told: driving.interventionId });
    };
    const timer = setInterval(look, LOOK_MS);
    const unsubscribe = connection.store.subscribe(look);
    window.addEventListener("pagehide", leave);
    return () => {
      clearInterval(timer);
      unsubscribe();
      window.removeEventListener("pagehide", leave);
      leave();
    };
  }, [connection, say, store]);
  const answer = useCallback(
    (action: PressedAction) => {
      const { question } = store.getState();
      if (question === null || !isAnswer(action)) return false;
      const use = ANSWERS[action];
      say(question.takeover, use, false);
      driveSettings.setState({ takeoverUse: use });
      store.setState(answered(store.getState(), use, performance.now()), true);
      return true;
    },
    [say, store],
  );
  return useMemo(() => ({ store, queue, answer }), [store, answer]);
}

function isAnswer(action: PressedAction): action is Answer {
  return action in ANSWERS;
}

function TimeLeft({ question }: { question: Question }) {
  const { t } = useTranslation();
  const bar = useRef<HTMLDivElement>(null);
  const whole = question.answer === null ? ASKED_MS : ANSWERED_MS;
  useEffect(() => {
    let frame = requestAnimationFrame(function paint(nowMs) {
      const share = Math.max(0, Math.min(1, (question.untilMs - nowMs) / whole));
      if (bar.current) bar.current.style.transform = `scaleX(${share})`;
      frame = requestAnimationFrame(paint);
    });
    return () => cancelAnimationFrame(frame);
  }, [question.untilMs, whole]);
  return (
    <div className={classes.time} title={t("takeover.time")} aria-hidden="true">
      <div ref={bar} />
    </div>
  );
}

function Sending({ queue }: { queue: DecisionQueue }) {
  const { t } = useTranslation();
  const { late, failed } = useStore(queue.state);
  if (failed !== null) {
    return (
      <div role="alert" className={classes.problem} data-testid="takeover-problem">
        {failed === "" ? t("takeover.failed") : t("takeover.failed_why", { why: failed })}
      </div>
    );
  }
  return late ? (
    <div role="status" className={classes.problem}>
      {t("takeover.late")}
    </div>
  ) : null;
}

function Asking({
  question,
  onAction,
}: {
  question: Question;
  onAction: (action: PressedAction) => void;
}) {
  const { t } = useTranslation();
  const { keys, takeoverUse } = useStore(driveSettings);
  const { takeover, answer } = question;
  const key = keyName(keys.correction);
  const title = t(takeover.marked ? "takeover.question_marked" : "takeover.question", { key });
  const standing = answer ?? (takeover.marked ? "correction" : takeoverUse);
  return (
    <section className={classes.panel} aria-label={title} data-testid="takeover-question">
      <div role="status" className={classes.title}>
        {title}
      </div>
      <div className={classes.answers}>
        {LOOKS.map(({ action, Icon }) => {
          const chosen = ANSWERS[action] === standing;
          const means =
            action === "correction" && takeover.marked ? "correction_means_marked" : null;
          return (
            <button
              key={action}
              type="button"
              className={classes.answer}
              aria-pressed={chosen}
              data-testid={`takeover-${action}`}
              onClick={(event) => {
                // After a click the keys belong to the robot again, not to the button.
                if (event.detail > 0) event.currentTarget.blur();
                onAction(action);
              }}
            >
              <span className={classes.word}>
                <Icon size={18} /> {t(`takeover.${action}`)}
                <kbd className={classes.key}>{keyName(keys[action])}</kbd>
              </span>
              <span className={classes.means}>
                {t(`takeover.${means ?? (`${action}_means` as const)}`, { key })}
              </span>
              <span className={classes.standing}>
                {chosen &&
                  t(answer === null && !takeover.marked ? "takeover.default" : "takeover.kept")}
              </span>
            </button>
          );
        })}
      </div>
      <TimeLeft question={question} />
    </section>
  );
}

export function TakeoverPrompt({
  asked,
  onAction,
}: {
  asked: TakeoverQuestion;
  onAction: (action: PressedAction) => void;
}) {
  const question = useStore(asked.store, (watch) => watch.question);
  return (
    <div className={classes.place}>
      <Sending queue={asked.queue} />
      {question && <Asking question={question} onAction={onAction} />}
    </div>
  );
}
