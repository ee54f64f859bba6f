/** STOP ROBOT (software): fixed at top right of every page, never covered, never disabled. */
import { Button, Text, UnstyledButton } from "@mantine/core";
import { useCallback, useEffect, useId, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import { StopSign } from "@/app/icons";
import classes from "@/app/stop.module.css";
import { keyName } from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";
import type { RobotConnection } from "@/live/connection";
import { useLive } from "@/live/robots";
import type { Stop } from "@/live/state";

/** What is farthest from safe is what the button shows, when several robots are stopped at once. */
const ORDER: readonly Stop["phase"][] = ["unsent", "sent", "acknowledged", "idle", "stopped"];

const IDLE: Stop = { phase: "idle" };

function worst(stops: readonly Stop[]): Stop {
  const [first] = [...stops].sort((a, b) => ORDER.indexOf(a.phase) - ORDER.indexOf(b.phase));
  return first ?? IDLE;
}

function millis(ms: number | null): string {
  return ms === null ? "" : ` ${ms.toFixed(0)} ms`;
}

export function stopAll(connections: readonly RobotConnection[]): void {
  for (const connection of connections) connection.ask({ kind: "stop" });
}

/** A value of all these robots' states; `read` must give equal values for equal states. */
function useEvery<T>(connections: readonly RobotConnection[], read: () => T): T {
  const subscribe = useCallback(
    (changed: () => void) => {
      const stops = connections.map((connection) => connection.store.subscribe(changed));
      return () => {
        for (const unsubscribe of stops) unsubscribe();
      };
    },
    [connections],
  );
  return useSyncExternalStore(subscribe, read);
}

function useStop(connections: readonly RobotConnection[]): Stop {
  return useEvery(connections, () =>
    worst(connections.map((connection) => connection.store.getState().stop)),
  );
}

/** One line per robot: where its hard-wired stop is, in its cell's words. */
function useHardwareStops(connections: readonly RobotConnection[]): string {
  return useEvery(connections, () =>
    connections
      .map(({ robot, store }) => ({ robot, where: store.getState().presence?.emergency_stop }))
      .filter(({ where }) => where)
      .map(({ robot, where }) => (connections.length > 1 ? `${robot}: ${where}` : where))
      .join("\n"),
  );
}

/** Beside STOP ROBOT on every page: software is not what a person in danger reaches for. */
export function HardwareStop({ connections }: { connections: readonly RobotConnection[] }) {
  const { t } = useTranslation();
  const where = useHardwareStops(connections);
  if (where === "") return null;
  return (
    <p className={classes.hardware} title={where} data-testid="hardware-stop">
      <strong>{t("stop.hardware")}</strong> {where}
    </p>
  );
}

function StopButton({ connections }: { connections: readonly RobotConnection[] }) {
  const { t } = useTranslation();
  const stop = useStop(connections);
  const key = useStore(driveSettings, (settings) => keyName(settings.keys.stop));
  const where = useHardwareStops(connections);
  const help = useId();
  const hardware = where && `${t("stop.hardware")} ${where}`;
  const status = {
    idle: () => t("stop.idle", { key }),
    unsent: () => t("stop.unsent"),
    sent: () => t("stop.sent"),
    acknowledged: () =>
      t("stop.acknowledged", { ms: millis(stop.phase === "acknowledged" ? stop.answerMs : null) }),
    stopped: () =>
      t("stop.stopped", { ms: millis(stop.phase === "stopped" ? stop.brakingMs : null) }),
  }[stop.phase]();
  return (
    <>
      <UnstyledButton
        className={classes.stop}
        data-phase={stop.phase}
        data-testid="stop"
        aria-describedby={help}
        title={`${t(stop.phase === "unsent" ? "stop.unsent_help" : "stop.help")}\n${hardware}`}
        onClick={(event) => {
          stopAll(connections);
          if (event.detail > 0) event.currentTarget.blur();
        }}
      >
        <StopSign size={30} />
        <span>
          <span className={classes.word}>
            {t(connections.length > 1 ? "stop.button_all" : "stop.button")}
          </span>
          <span className={classes.status} data-testid="stop-status">
            {status}
          </span>
        </span>
      </UnstyledButton>
      <span id={help} className={classes.hidden}>
        {t("stop.help")} {hardware}
      </span>
      <span role="status" aria-live="assertive" className={classes.hidden}>
        {stop.phase === "idle" ? "" : status}
      </span>
    </>
  );
}

function ClearButton({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const mode = useLive(connection, (state) => state.telemetry?.mode);
  const cause = useLive(connection, (state) => state.telemetry?.cause ?? "");
  if (mode !== "stopped" && mode !== "fault") return null;
  return (
    <div className={classes.clear}>
      <Text size="sm" fw={600}>
        {connection.robot}: {t(`mode.${mode}`)}
      </Text>
      {cause && <Text size="xs">{cause}</Text>}
      <Button
        size="compact-sm"
        variant="default"
        fullWidth
        mt={6}
        data-testid="clear"
        onClick={() => connection.ask({ kind: "clear" })}
      >
        {t(mode === "fault" ? "stop.clear_fault" : "stop.clear")}
      </Button>
      <Text size="xs" c="var(--console-quiet)" mt={4}>
        {t("stop.clear_help")}
      </Text>
    </div>
  );
}

export function StopRobot({ connections }: { connections: readonly RobotConnection[] }) {
  const onKey = useCallback(
    (event: KeyboardEvent) => {
      if (event.code !== driveSettings.getState().keys.stop || event.repeat) return;
      event.preventDefault();
      stopAll(connections);
    },
    [connections],
  );
  useEffect(() => {
    // Captured, so that no dialog or field can swallow it.
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, [onKey]);
  return (
    <div className={classes.corner}>
      <StopButton connections={connections} />
      {connections.map((connection) => (
        <ClearButton key={connection.robot} connection={connection} />
      ))}
    </div>
  );
}
