/** The curves under the pictures, on the same clock; a click moves the playhead. */
import "uplot/dist/uPlot.min.css";
import { Button, useComputedColorScheme } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import uPlot from "uplot";
import classes from "@/review/review.module.css";
import type { Series, Values } from "@/review/series";

const HEIGHT_PX = 92;

interface Curve {
  readonly label: string;
  readonly values: Values;
  readonly color: string;
  readonly dash?: number[];
  readonly stepped?: boolean;
}

function Plot({
  title,
  time_s,
  curves,
  range,
  playhead_s,
  onSeek,
}: {
  title: string;
  time_s: readonly number[];
  curves: readonly Curve[];
  range?: readonly [number, number];
  playhead_s: number;
  onSeek: (time_s: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const head = useRef(playhead_s);
  const seek = useRef(onSeek);
  const scheme = useComputedColorScheme("dark");
  useEffect(() => {
    seek.current = onSeek;
  }, [onSeek]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const quiet = scheme === "dark" ? "#a3adbd" : "#566174";
    const grid = { stroke: scheme === "dark" ? "#2a3442" : "#e2e6ed", width: 1 };
    const axis = { stroke: quiet, grid, ticks: { show: false }, font: "11px system-ui" };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT_PX,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, sync: { key: "episode" } },
        scales: { x: { time: false }, y: range ? { range: [range[0], range[1]] } : {} },
        axes: [
          { ...axis, size: 20 },
          { ...axis, size: 44, ...(range ? { splits: () => splitsOf(range) } : {}) },
        ],
        series: [
          {},
          ...curves.map((curve) => ({
            label: curve.label,
            stroke: curve.color,
            width: 1.6,
            points: { show: false },
            ...(curve.dash ? { dash: curve.dash } : {}),
            ...(curve.stepped && uPlot.paths.stepped
              ? { paths: uPlot.paths.stepped({ align: 1 }) }
              : {}),
          })),
        ],
        hooks: {
          draw: [(drawn) => paintPlayhead(drawn, head.current, scheme)],
          ready: [
            (drawn) =>
              drawn.over.addEventListener("click", (event) =>
                seek.current(drawn.posToVal(event.offsetX, "x")),
              ),
          ],
        },
      },
      [[...time_s], ...curves.map((curve) => [...curve.values])],
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
    );
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [time_s, curves, range, scheme]);
  useEffect(() => {
    head.current = playhead_s;
    plot.current?.redraw(false, false);
  }, [playhead_s]);
  return (
    <figure className={classes.plot}>
      <figcaption className={classes.plotTitle}>
        <span>{title}</span>
        {curves.length > 1 &&
          curves.map((curve) => (
            <span key={curve.label}>
              <svg width="18" height="6" aria-hidden="true">
                <line
                  x1="0"
                  x2="18"
                  y1="3"
                  y2="3"
                  stroke={curve.color}
                  strokeWidth="2"
                  strokeDasharray={curve.dash?.join(" ")}
                />
              </svg>{" "}
              {curve.label}
            </span>
          ))}
      </figcaption>
      <div ref={box} />
    </figure>
  );
}

/** The ends and the middle of a fixed range, without its margin. */
function splitsOf([low, high]: readonly [number, number]): number[] {
  return low < 0 ? [-1, 0, 1] : [low, (low + high) / 2, high];
}

function paintPlayhead(plot: uPlot, time_s: number, scheme: "light" | "dark"): void {
  const x = plot.valToPos(time_s, "x", true);
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = scheme === "dark" ? "#ffffff" : "#000000";
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

const COLORS = { proposed: "#8a94a6", executed: "#2f83e0", human: "#e08700" } as const;
const FORCE_COLORS = ["#b3538f", "#2b9ab3", "#8a6fd1", "#6f8f2f"] as const;
const UNIT: readonly [number, number] = [-1.1, 1.1];
const SHARE: readonly [number, number] = [0, 1];
/** More columns of an action than this are shown on demand. */
const SHOWN_COLUMNS = 8;

export default function Plots({
  series,
  playhead_s,
  onSeek,
}: {
  series: Series;
  playhead_s: number;
  onSeek: (time_s: number) => void;
}) {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  const count = series.actions.length;
  const plots = useMemo(() => {
    const shown = all ? series.actions : series.actions.slice(0, SHOWN_COLUMNS);
    const actions = shown.map((column) => ({
      title: t("episode.plot_action", { name: column.name }),
      range: UNIT,
      curves: (["proposed", "executed", "human"] as const).map((kind) => ({
        label: t(`episode.${kind}`),
        values: column[kind],
        color: COLORS[kind],
        stepped: true,
        ...(kind === "proposed" ? { dash: [4, 3] } : {}),
      })),
    }));
    const single = (title: string, values: Values, color: string) => ({
      title,
      range: undefined,
      curves: [{ label: title, values, color }],
    });
    return [
      ...actions,
      {
        title: t("episode.plot_force"),
        range: undefined,
        curves: series.forces.map(({ arm, force_n }, index) => ({
          label: arm,
          values: force_n,
          color: FORCE_COLORS[index % FORCE_COLORS.length] ?? FORCE_COLORS[0],
        })),
      },
      single(t("episode.plot_reward"), series.reward, "#1f9d5f"),
      ...(series.risk
        ? [{ ...single(t("episode.plot_risk"), series.risk, "#d0453c"), range: SHARE }]
        : []),
      ...(series.success
        ? [{ ...single(t("episode.plot_success"), series.success, "#1f9d5f"), range: SHARE }]
        : []),
    ];
  }, [series, all, t]);
  return (
    <div className={classes.plots}>
      {plots.map((plot) => (
        <Plot
          key={plot.title}
          title={plot.title}
          time_s={series.time_s}
          curves={plot.curves}
          {...(plot.range ? { range: plot.range } : {})}
          playhead_s={playhead_s}
          onSeek={onSeek}
        />
      ))}
      {count > SHOWN_COLUMNS && (
        <Button size="compact-xs" variant="subtle" onClick={() => setAll(!all)}>
          {all
            ? t("episode.columns_fewer", { columns: SHOWN_COLUMNS })
            : t("episode.columns_all", { columns: count })}
        </Button>
      )}
      {count === 0 && <p className={classes.quiet}>{t("episode.no_action")}</p>}
      {!series.risk && <p className={classes.quiet}>{t("episode.no_risk")}</p>}
    </div>
  );
}
