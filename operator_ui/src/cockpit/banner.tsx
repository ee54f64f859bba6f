/** The mode in words, icon and colour; who holds the robot; the clock of the episode; the policy. */
import { type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import { Bars, Circle, Gear, Hand, Home, Rewind, StopSign, Warning } from "@/app/icons";
import classes from "@/cockpit/banner.module.css";
import { LoopTimes } from "@/cockpit/loop";
import type { Driver } from "@/drive/driver";
import { keyName } from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";
import type { RobotConnection } from "@/live/connection";
import { useDrawing, useLive } from "@/live/robots";
import { holdsLease, type LiveState, type ShownMode, shownMode } from "@/live/state";
import { agoText } from "@/live/words";

const ICONS: Readonly<Record<ShownMode, (size: { size: number }) => ReactNode>> = {
  idle: Circle,
  autonomous: Gear,
  takeover: Hand,
  paused: Bars,
  resetting: Home,
  rewinding: Rewind,
  stopped: StopSign,
  fault: Warning,
  starting: Gear,
  unknown: Circle,
};

/** Silence makes no event of its own. */
const LOOK_AGAIN_MS = 500;

function useShownMode(connection: RobotConnection): ShownMode {
  const [nowMs, setNowMs] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(performance.now()), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return useLive(connection, (state) => shownMode(state, nowMs));
}

/** What a robot without telemetry is waited for, in words; empty when its mode is known. */
function useWaitedFor(connection: RobotConnection, mode: ShownMode): string {
  const { t } = useTranslation();
  const answered = useLive(connection, (state) => state.presence !== null);
  const connected = useLive(connection, (state) => state.presence?.connected ?? false);
  if (mode === "starting") return t(answered ? "live.starting_robot" : "live.starting_server");
  return mode === "unknown" && connected ? t("live.not_started") : "";
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={classes.figure}>
      <span className={classes.name}>{name}</span>
      <span className={classes.value}>{children}</span>
    </div>
  );
}

function Holder({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const holder = useLive(connection, (state) => state.telemetry?.lease.holder ?? null);
  const ours = useLive(connection, holdsLease);
  const suspended = useLive(connection, (state) => state.telemetry?.lease.suspended ?? false);
  return (
    <Figure name={t("live.holder")}>
      <span data-testid="holder">
        {ours ? t("live.holder_you") : (holder ?? t("live.holder_none"))}
        {suspended && ` (${t("live.suspended")})`}
      </span>
    </Figure>
  );
}

function EpisodeClock({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const text = useRef<HTMLSpanElement>(null);
  const number = useLive(connection, (state) => state.telemetry?.episode.number ?? 0);
  const draw = useCallback(
    ({ telemetry }: LiveState) => {
      if (!text.current || !telemetry) return;
      const { elapsed_s, step, max_steps } = telemetry.episode;
      text.current.textContent = t("live.timer", {
        elapsed: elapsed_s.toFixed(1),
        step,
        max: max_steps,
      });
    },
    [t],
  );
  useDrawing(connection, draw);
  return (
    <Figure name={t("live.episode", { number })}>
      <span ref={text} className={classes.clock} />
    </Figure>
  );
}

function RoundTrip({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const trip = useRef<HTMLSpanElement>(null);
  const draw = useCallback(({ telemetry }: LiveState) => {
    if (!telemetry || !trip.current) return;
    const ms = telemetry.round_trip_ms;
    trip.current.textContent = ms === null ? "–" : `${ms.toFixed(0)} ms`;
  }, []);
  useDrawing(connection, draw);
  return (
    <Figure name={t("live.round_trip")}>
      <span ref={trip} />
    </Figure>
  );
}

function PolicyInUse({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const version = useLive(connection, (state) => state.telemetry?.policy_version ?? null);
  const created = useLive(
    connection,
    (state) =>
      state.training?.versions.find((one) => one.version === state.telemetry?.policy_version)
        ?.manifest.created_t_utc ?? null,
  );
  // The age changes by itself; telemetry that arrives anyway is clock enough.
  const age = useLive(connection, () => (created === null ? null : agoText(created, Date.now())));
  return (
    <Figure name={t("live.policy")}>
      <span data-testid="policy-version">
        {version === null ? t("live.policy_none") : t("live.policy_version", { version })}
      </span>
      {age !== null && <small> · {t("live.policy_age", { age })}</small>}
    </Figure>
  );
}

/** The dead-man that is held has to be let go first: said where the person looks. */
function Release({ driver }: { driver: Driver }) {
  const { t } = useTranslation();
  const why = useStore(driver.spent, (spent) => spent.why);
  const key = useStore(driveSettings, (settings) => keyName(settings.keys.deadman));
  if (why === null) return null;
  return <div className={classes.release}>{t(`live.release_${why}`, { key })}</div>;
}

export function ModeBanner({
  connection,
  driver,
}: {
  connection: RobotConnection;
  driver: Driver;
}) {
  const { t } = useTranslation();
  const mode = useShownMode(connection);
  const waitedFor = useWaitedFor(connection, mode);
  const phase = useLive(connection, (state) => state.telemetry?.phase ?? null);
  const told = useLive(connection, (state) => state.telemetry?.cause ?? "");
  const fault = useLive(connection, (state) => state.telemetry?.fault ?? null);
  const cause = mode === "starting" || mode === "unknown" ? waitedFor : told;
  const lost = useLive(connection, (state) => state.link !== "open");
  const Icon = ICONS[mode];
  return (
    <section
      className={classes.banner}
      data-mode={mode}
      data-lost={lost}
      data-testid="mode-banner"
      aria-label={t("mode.banner")}
    >
      <div className={classes.mode} role="status">
        <Icon size={30} />
        <div>
          <h1 className={classes.word} data-testid="mode">
            {t(`mode.${mode}`)}
            {mode === "takeover" && phase && (
              <span className={classes.phase}> {t(`mode.${phase}`)}</span>
            )}
          </h1>
          {cause && (
            <div className={classes.cause}>
              {cause}
              {mode === "fault" && fault && (
                <code className={classes.code} title={t("mode.fault_code")}>
                  {fault}
                </code>
              )}
            </div>
          )}
          <Release driver={driver} />
        </div>
      </div>
      <div className={classes.figures}>
        <Holder connection={connection} />
        <EpisodeClock connection={connection} />
        <PolicyInUse connection={connection} />
        <Figure name={t("live.latency")}>
          <LoopTimes connection={connection} />
        </Figure>
        <RoundTrip connection={connection} />
      </div>
    </section>
  );
}
