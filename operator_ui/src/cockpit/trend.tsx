/** The risk of the last seconds against its threshold. */
import { useCallback, useRef } from "react";
import { useTranslation } from "react-i18next";
import classes from "@/cockpit/rail.module.css";
import type { RobotConnection } from "@/live/connection";
import { useDrawing } from "@/live/robots";
import type { LiveState } from "@/live/state";
import { type Sample, TREND_S, trendPoints, withSample } from "@/live/trend";

export function RiskTrend({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const samples = useRef<readonly Sample[]>([]);
  const line = useRef<SVGPolylineElement>(null);
  const limit = useRef<SVGLineElement>(null);
  const draw = useCallback(({ telemetry }: LiveState) => {
    const risk = telemetry?.risk;
    if (!risk || !line.current || !limit.current) return;
    samples.current = withSample(samples.current, { t_ns: telemetry.t_ns, value: risk.risk });
    line.current.setAttribute("points", trendPoints(samples.current));
    const y = String(1 - (risk.threshold ?? 1));
    limit.current.setAttribute("y1", y);
    limit.current.setAttribute("y2", y);
  }, []);
  useDrawing(connection, draw);
  return (
    <svg
      className={classes.trend}
      viewBox="0 0 1 1"
      preserveAspectRatio="none"
      role="img"
      aria-label={t("rail.risk_trend", { seconds: TREND_S })}
      data-testid="risk-trend"
    >
      <line ref={limit} className={classes.trendLimit} x1="0" x2="1" y1="0" y2="0" />
      <polyline ref={line} className={classes.trendLine} points="" />
    </svg>
  );
}
