/** How near the limits the robot is, arm by arm. */
import { useCallback, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Panel } from "@/app/panel";
import { Profiles } from "@/cockpit/profiles";
import classes from "@/cockpit/rail.module.css";
import { RiskTrend } from "@/cockpit/trend";
import type { RobotConnection } from "@/live/connection";
import { useDrawing, useLive } from "@/live/robots";
import type { LiveState } from "@/live/state";

interface Gauge {
  readonly value: number;
  readonly limit: number;
  readonly text: string;
}

/** A bar against its limit: amber from 80 %, red at the limit; the numbers stand beside it. */
function Bar({
  name,
  connection,
  read,
}: {
  name: string;
  connection: RobotConnection;
  read: (state: LiveState) => Gauge | null;
}) {
  const fill = useRef<HTMLDivElement>(null);
  const text = useRef<HTMLSpanElement>(null);
  const meter = useRef<HTMLDivElement>(null);
  const draw = useCallback(
    (state: LiveState) => {
      const gauge = read(state);
      if (!gauge || !fill.current || !text.current || !meter.current) return;
      const share = gauge.limit > 0 ? Math.min(1, gauge.value / gauge.limit) : 0;
      fill.current.style.transform = `scaleX(${share})`;
      fill.current.dataset.level = share >= 1 ? "limit" : share > 0.8 ? "near" : "free";
      text.current.textContent = gauge.text;
      meter.current.setAttribute("aria-valuenow", share.toFixed(2));
      meter.current.setAttribute("aria-valuetext", gauge.text);
    },
    [read],
  );
  useDrawing(connection, draw);
  return (
    <div className={classes.gauge}>
      <div className={classes.gaugeHead}>
        <span>{name}</span>
        <span ref={text} className={classes.number} />
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: <meter> cannot be coloured alike in all browsers */}
      <div
        ref={meter}
        className={classes.track}
        role="meter"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={1}
        aria-valuenow={0}
      >
        <div ref={fill} className={classes.fill} />
      </div>
    </div>
  );
}

type Contact = "force" | "torque";

/** Contact force or torque of one arm, against what its cell states for rest. */
function ContactBar({
  connection,
  arm,
  kind,
  name,
}: {
  connection: RobotConnection;
  arm: string;
  kind: Contact;
  name: string;
}) {
  const read = useCallback(
    ({ telemetry }: LiveState): Gauge | null => {
      const measured = telemetry?.arms[arm];
      if (!measured) return null;
      const force = kind === "force";
      const value = force ? measured.force_n : measured.torque_nm;
      const limit = force ? measured.force_limit_n : measured.torque_limit_nm;
      const unit = force ? "N" : "Nm";
      return { value, limit, text: `${value.toFixed(1)} / ${limit.toFixed(0)} ${unit}` };
    },
    [arm, kind],
  );
  return <Bar name={name} connection={connection} read={read} />;
}

const CONTACTS: readonly Contact[] = ["force", "torque"];

function Opening({ connection, arm }: { connection: RobotConnection; arm: string }) {
  const text = useRef<HTMLSpanElement>(null);
  const draw = useCallback(
    ({ telemetry }: LiveState) => {
      const measured = telemetry?.arms[arm];
      if (measured && text.current) {
        text.current.textContent = `${(1000 * measured.gripper_m).toFixed(0)} mm`;
      }
    },
    [arm],
  );
  useDrawing(connection, draw);
  return (
    <span className={classes.number}>
      <span className={classes.quiet}>{arm}</span>{" "}
      <span ref={text} data-testid={`gripper-${arm}`} />
    </span>
  );
}

const speed = ({ telemetry }: LiveState): Gauge | null =>
  telemetry && {
    value: telemetry.speed_m_s,
    limit: telemetry.speed_limit_m_s,
    text: `${telemetry.speed_m_s.toFixed(3)} / ${telemetry.speed_limit_m_s.toFixed(2)} m/s`,
  };

function Limits({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const acting = useLive(connection, (state) => state.telemetry?.limits.join("|") ?? "");
  return (
    <div className={classes.limits} data-testid="limits">
      <span className={classes.quiet}>{t("rail.limits")}</span>
      {acting === "" ? (
        <span className={classes.chipNone}>{t("rail.limits_none")}</span>
      ) : (
        acting.split("|").map((limit) => (
          <span key={limit} className={classes.chip}>
            {limit.replaceAll("_", " ")}
          </span>
        ))
      )}
    </div>
  );
}

const DIGITS = 2;

/** The risk of the newest decision against the threshold that it was calibrated to. */
function Risk({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const read = useCallback(
    ({ telemetry }: LiveState): Gauge | null => {
      const risk = telemetry?.risk;
      if (!risk) return null;
      const value = risk.risk.toFixed(DIGITS);
      return risk.threshold === null
        ? { value: risk.risk, limit: 1, text: t("rail.risk_warns", { value }) }
        : {
            value: risk.risk,
            limit: risk.threshold,
            text: `${value} / ${risk.threshold.toFixed(DIGITS)}`,
          };
    },
    [t],
  );
  const vetoes = useLive(connection, ({ telemetry }) => telemetry?.risk?.vetoes ?? 0);
  const overrides = useLive(connection, ({ telemetry }) => telemetry?.risk?.overrides ?? 0);
  return (
    <>
      <Bar name={t("rail.risk")} connection={connection} read={read} />
      <RiskTrend connection={connection} />
      {vetoes + overrides > 0 && (
        <div className={classes.quiet} data-testid="risk-counts">
          {t("rail.risk_counts", { vetoes, overrides })}
        </div>
      )}
    </>
  );
}

const NO_ARMS: Readonly<Record<string, unknown>> = {};

export function Gauges({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const names = useLive(connection, ({ telemetry }) =>
    Object.keys(telemetry?.arms ?? NO_ARMS).join("|"),
  );
  const judged = useLive(connection, ({ telemetry }) => Boolean(telemetry?.risk));
  const arms = names.split("|");
  const several = arms.length > 1;
  return (
    <Panel title={t("rail.limits_title")}>
      {arms.flatMap((arm) =>
        CONTACTS.map((kind) => (
          <ContactBar
            key={`${arm} ${kind}`}
            connection={connection}
            arm={arm}
            kind={kind}
            name={several ? t(`rail.${kind}_of`, { arm }) : t(`rail.${kind}`)}
          />
        )),
      )}
      <Bar
        name={t(several ? "rail.speed_fastest" : "rail.speed")}
        connection={connection}
        read={speed}
      />
      {judged && <Risk connection={connection} />}
      {several && (
        <div className={classes.gauge}>
          <div className={classes.gaugeHead}>
            <span>{t("rail.gripper")}</span>
            {arms.map((arm) => (
              <Opening key={arm} connection={connection} arm={arm} />
            ))}
          </div>
        </div>
      )}
      <Limits connection={connection} />
      <Profiles connection={connection} />
    </Panel>
  );
}
