/** How regularly control ticks: one figure, and all of them for who asks. */
import { useCallback, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "@/cockpit/loop.module.css";
import type { RobotConnection } from "@/live/connection";
import { useDrawing, useLive } from "@/live/robots";
import type { LiveState } from "@/live/state";
import { tickText } from "@/live/words";

const COLUMNS = ["p50", "p99", "p999", "largest"] as const;

function AllTimes({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const loop = useLive(connection, (state) => state.telemetry?.loop ?? null);
  if (!loop) return null;
  const rows = [
    {
      name: t("live.loop_took"),
      us: [loop.latency_p50_us, loop.latency_p99_us, loop.latency_p999_us, loop.latency_max_us],
    },
    {
      name: t("live.loop_period"),
      us: [loop.period_p50_us, loop.period_p99_us, loop.period_p999_us, loop.period_max_us],
    },
  ];
  return (
    <div className={classes.times}>
      <p>{t("live.loop_explain")}</p>
      <table data-testid="loop-times" aria-label={t("live.loop")}>
        <thead>
          <tr>
            <td />
            {COLUMNS.map((column) => (
              <th key={column} scope="col">
                {t(`live.loop_${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, us }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {COLUMNS.map((column, place) => (
                <td key={column}>{tickText(us[place] ?? 0)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <p>{t("live.loop_missed", { count: loop.missed_ticks })}</p>
    </div>
  );
}

export function LoopTimes({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState(false);
  const text = useRef<HTMLSpanElement>(null);
  const draw = useCallback(({ telemetry }: LiveState) => {
    if (text.current && telemetry) {
      text.current.textContent = tickText(telemetry.loop.latency_p99_us);
    }
  }, []);
  useDrawing(connection, draw);
  return (
    <span className={classes.loop}>
      <button
        type="button"
        className={classes.figure}
        aria-expanded={opened}
        title={t("live.loop_title")}
        data-testid="loop"
        onClick={(event) => {
          setOpened(!opened);
          // The keys that drive must not press it again.
          if (event.detail > 0) event.currentTarget.blur();
        }}
      >
        <span ref={text} />
      </button>
      {opened && <AllTimes connection={connection} />}
    </span>
  );
}
