/** The switch "Keep going": a simulated robot trains by itself as long as somebody looks at it. */
import { Switch, Text } from "@mantine/core";
import { useCallback, useEffect, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";
import type { Wish } from "@/api/messages";
import classes from "@/cockpit/controls.module.css";
import type { RobotConnection } from "@/live/connection";
import { follow, type Move, OFF, situationOf, switched } from "@/live/continuation";
import { useLive } from "@/live/robots";

const WISHES: Readonly<Record<Move, Wish>> = {
  confirm_reset: { kind: "confirm_reset" },
  start_episode: { kind: "start_episode", purpose: "training", seed: null, policy_version: null },
};

/** Lives with the page: leaving it switches off. */
function useContinuation(connection: RobotConnection) {
  const store = useMemo(() => createStore(() => OFF), []);
  const see = useCallback(
    () => situationOf(connection.store.getState(), document.hidden),
    [connection],
  );
  useEffect(() => {
    const look = () => {
      const seen = see();
      if (seen === null) return;
      const { next, ask } = follow(store.getState(), seen, performance.now());
      store.setState(next, true);
      if (ask !== null) connection.ask(WISHES[ask]);
    };
    const unsubscribe = connection.store.subscribe(look);
    document.addEventListener("visibilitychange", look);
    return () => {
      unsubscribe();
      document.removeEventListener("visibilitychange", look);
    };
  }, [connection, see, store]);
  const turn = (on: boolean) => {
    const seen = see();
    if (seen !== null) store.setState(switched(on, seen, performance.now()), true);
  };
  return { store, turn };
}

export function KeepGoing({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const { store, turn } = useContinuation(connection);
  const on = useStore(store, (state) => state.on);
  const off = useStore(store, (state) => state.off);
  const simulated = useLive(connection, (state) => state.presence?.simulated ?? false);
  // A label, a pause, a takeover: what only a person ends.
  const person = useLive(connection, ({ telemetry }) => {
    const asked = telemetry?.mode === "paused" || telemetry?.mode === "takeover";
    return asked || telemetry?.episode.stage === "await_label";
  });
  if (!simulated) return null;
  const state = on ? t(person ? "control.keep_going_waits" : "control.keep_going_works") : "";
  return (
    <div className={classes.continuation} data-on={on} data-testid="continuation">
      <Switch
        checked={on}
        onChange={(event) => turn(event.currentTarget.checked)}
        onClick={(event) => {
          // After a click the keys belong to the robot again, not to the switch.
          if (event.detail > 0) event.currentTarget.blur();
        }}
        label={state ? `${t("control.keep_going")} · ${state}` : t("control.keep_going")}
        description={t("control.keep_going_help")}
        data-testid="keep-going"
      />
      {off !== null && (
        <Text size="sm" fw={600} mt={4} role="status">
          {t("control.keep_going_off", { why: t(`control.keep_going_${off}`) })}
        </Text>
      )}
    </div>
  );
}
