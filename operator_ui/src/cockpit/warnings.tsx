/** Loud when it matters: what is degraded now, one line each. */
import { CloseButton } from "@mantine/core";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Warning } from "@/app/icons";
import classes from "@/cockpit/warnings.module.css";
import type { RobotConnection } from "@/live/connection";
import { useLive } from "@/live/robots";
import type { Notice } from "@/live/state";

const TRIP_AMBER_MS = 100;
const TRIP_NO_TAKEOVER_MS = 300;
const SILENT_MS = 1000;
const NOTICE_MS = 8000;

function Line({
  children,
  severe = false,
  testid,
}: {
  children: ReactNode;
  severe?: boolean;
  testid?: string;
}) {
  return (
    <div className={classes.line} data-severe={severe} role="alert" data-testid={testid}>
      <Warning size={18} />
      <span>{children}</span>
    </div>
  );
}

function useSilence(connection: RobotConnection): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => {
      const { telemetryAtMs, telemetry } = connection.store.getState();
      const silentMs = telemetry ? performance.now() - telemetryAtMs : 0;
      setSeconds(silentMs > SILENT_MS ? Math.floor(silentMs / 1000) : 0);
    }, 500);
    return () => clearInterval(timer);
  }, [connection]);
  return seconds;
}

function Connection({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const link = useLive(connection, (state) => state.link);
  const away = useLive(connection, (state) => state.presence?.connected === false);
  const silent = useSilence(connection);
  if (link === "lost") {
    return (
      <Line severe testid="connection-lost">
        {t("live.lost")}
      </Line>
    );
  }
  if (link === "connecting") return <Line>{t("live.connecting")}</Line>;
  if (away) return <Line severe>{t("live.away")}</Line>;
  if (silent > 0) return <Line severe>{t("live.silent", { seconds: silent })}</Line>;
  return null;
}

function RoundTrip({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  // In tens of milliseconds, so that the line does not flicker with every sample.
  const ms = useLive(connection, (state) => {
    const trip = state.telemetry?.round_trip_ms ?? 0;
    return trip < TRIP_AMBER_MS ? 0 : Math.round(trip / 10) * 10;
  });
  if (ms === 0) return null;
  if (ms > TRIP_NO_TAKEOVER_MS) return <Line severe>{t("live.no_takeover", { ms })}</Line>;
  return <Line>{t("live.slow_trip", { ms })}</Line>;
}

function Outbox({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const accepting = useLive(connection, (state) => state.telemetry?.outbox.accepting ?? true);
  const connected = useLive(connection, (state) => state.telemetry?.outbox.connected ?? true);
  const pending = useLive(connection, (state) =>
    connected ? 0 : (state.telemetry?.outbox.pending ?? 0),
  );
  const setAside = useLive(connection, (state) => state.telemetry?.outbox.set_aside ?? 0);
  const refill = useLive(connection, (state) => state.telemetry?.outbox.refill ?? 0);
  const lost = useLive(connection, (state) => state.telemetry?.outbox.lost ?? 0);
  if (lost > 0) return <Line severe>{t("live.lost_rows", { count: lost })}</Line>;
  if (setAside > 0) return <Line severe>{t("live.set_aside", { count: setAside })}</Line>;
  if (!accepting) return <Line severe>{t("live.outbox_full")}</Line>;
  if (refill > 0) return <Line>{t("live.refill", { count: refill })}</Line>;
  if (!connected && pending > 0) return <Line>{t("live.outbox_behind", { pending })}</Line>;
  return null;
}

function Held({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const held = useLive(connection, (state) => state.telemetry?.risk?.held ?? false);
  return held ? <Line testid="risk-held">{t("live.risk_held")}</Line> : null;
}

function LastNotice({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const notice = useLive(connection, (state) => state.notice);
  const [read, setRead] = useState<Notice | null>(notice);
  useEffect(() => {
    if (!notice) return;
    const timer = setTimeout(() => setRead(notice), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  if (!notice || notice.number === read?.number) return null;
  const own = notice.kind === "not_connected" ? t("live.not_connected") : t("live.refused");
  return (
    <div className={classes.line} role="alert" data-testid="notice">
      <Warning size={18} />
      <span>{notice.text || own}</span>
      <CloseButton size="sm" aria-label={t("live.dismiss")} onClick={() => setRead(notice)} />
    </div>
  );
}

export function Warnings({ connection }: { connection: RobotConnection }) {
  return (
    <div className={classes.lines}>
      <Connection connection={connection} />
      <RoundTrip connection={connection} />
      <Outbox connection={connection} />
      <Held connection={connection} />
      <LastNotice connection={connection} />
    </div>
  );
}
