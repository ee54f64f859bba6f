/** One episode: all cameras, curves, who drove and what people said, on one clock. */
import { Anchor, Button, Group, SegmentedControl, Slider, Text, Title } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { useHotkeys } from "react-hotkeys-hook";
import { useTranslation } from "react-i18next";
import { type EpisodeDetail, type EpisodeSteps, useEpisode, useSteps } from "@/api/queries";
import { DriverLegend, DriverStrip } from "@/app/drivers";
import { Bars, Play } from "@/app/icons";
import { Panel } from "@/app/panel";
import type { Segment } from "@/live/segments";
import { Annotations, standing } from "@/review/annotations";
import { Labels } from "@/review/labels";
import { FrameMark, MarkStrip } from "@/review/marks";
import { OutcomeMark } from "@/review/outcome";
import { RATES, type StepRange, type Track } from "@/review/playback";
import { type Player, usePlayer } from "@/review/player";
import classes from "@/review/review.module.css";
import { seriesOf } from "@/review/series";
import { type Mark, marksOf } from "@/review/success";
import { Jumps, TakeoverUses, useTakeovers } from "@/review/takeovers";
import { PictureWall } from "@/review/wall";

const Plots = lazy(() => import("@/review/plots"));

export function EpisodePage() {
  const { t } = useTranslation();
  const { id } = useParams({ from: "/episodes/$id" });
  const detail = useEpisode(id);
  const running = detail.data?.episode.ended_t_utc === null;
  const steps = useSteps(id, running);
  const error = detail.error ?? steps.error;
  if (error) return <Text role="alert">{error.message}</Text>;
  if (!detail.data || !steps.data) return <Text>{t("app.loading")}</Text>;
  if (steps.data.steps.length === 0) return <Text>{t("episode.empty")}</Text>;
  return <Review key={id} detail={detail.data} steps={steps.data} />;
}

function Head({ detail }: { detail: EpisodeDetail }) {
  const { t } = useTranslation();
  const { episode } = detail;
  const clipboard = useClipboard();
  return (
    <Group justify="space-between" mb="sm" wrap="wrap">
      <div>
        <Anchor component={Link} to="/episodes" size="sm">
          ← {t("app.episodes")}
        </Anchor>
        <Group gap="md">
          <Title order={1} size="h3">
            {t("episode.title", { task: episode.task })}
          </Title>
          <OutcomeMark outcome={episode.outcome} />
          <Disagreement detail={detail} />
          {episode.failure_class && <Text size="sm">{episode.failure_class}</Text>}
          {episode.excluded && (
            <Text size="sm" fw={600}>
              {t("episodes.excluded")}
            </Text>
          )}
        </Group>
        <Text size="sm" c="var(--console-quiet)">
          {new Date(episode.started_t_utc).toLocaleString()} · {episode.robot} ·{" "}
          {t(`control.purpose_${episode.purpose}`)} · “{episode.instruction}”
          {episode.cause && ` · ${episode.cause}`}
        </Text>
      </div>
      <Button
        size="xs"
        variant="default"
        onClick={() => clipboard.copy(window.location.href)}
        data-testid="permalink"
      >
        {t(clipboard.copied ? "episode.copied" : "episode.permalink")}
      </Button>
    </Group>
  );
}

/** That the success classifier says otherwise than the label that counts. */
function Disagreement({ detail }: { detail: EpisodeDetail }) {
  const { t } = useTranslation();
  const { classifier_success: said, outcome } = detail.episode;
  const labelled = outcome === "success" || outcome === "failure";
  if (said === null || !labelled || said === (outcome === "success")) return null;
  return (
    <Text size="sm" fw={600} data-testid="disagreement">
      {t(said ? "marks.classifier_success" : "marks.classifier_none")}
    </Text>
  );
}

function Transport({ player, track }: { player: Player; track: Track }) {
  const { t } = useTranslation();
  const { index, playback } = player;
  return (
    <Group gap="xs" wrap="wrap" mt="xs">
      <Button
        size="xs"
        w={100}
        data-testid="play"
        leftSection={playback.playing ? <Bars size={16} /> : <Play size={16} />}
        onClick={player.toggle}
      >
        {t(playback.playing ? "episode.pause" : "episode.play")}
      </Button>
      <Button size="xs" variant="default" onClick={() => player.step(-1)} data-testid="step-back">
        {t("episode.back")} ,
      </Button>
      <Button size="xs" variant="default" onClick={() => player.step(1)} data-testid="step-on">
        {t("episode.on")} .
      </Button>
      <SegmentedControl
        size="xs"
        aria-label={t("episode.rate")}
        value={String(playback.rate)}
        data={RATES.map((rate) => ({ value: String(rate), label: `${rate}×` }))}
        onChange={(value) => player.setRate(Number(value))}
      />
      <Text size="sm" className={classes.numbers} data-testid="position" data-step={index}>
        {t("episode.position", {
          step: index,
          last: track.records - 1,
          time: (index * track.step_s).toFixed(1),
        })}
      </Text>
    </Group>
  );
}

function Timeline({
  segments,
  marks,
  player,
  track,
}: {
  segments: readonly Segment[];
  marks: readonly Mark[];
  player: Player;
  track: Track;
}) {
  const { t } = useTranslation();
  return (
    <div>
      <div className={classes.timeline}>
        <DriverStrip segments={segments} steps={track.records} height={30} />
        <span
          className={classes.playhead}
          style={{ left: `${(100 * (player.index + 0.5)) / track.records}%` }}
        />
      </div>
      <MarkStrip marks={marks} records={track.records} />
      <Slider
        mt={4}
        size="sm"
        min={0}
        max={track.records - 1}
        value={player.index}
        onChange={player.seek}
        label={null}
        thumbLabel={t("episode.scrub")}
      />
      <DriverLegend segments={segments} />
    </div>
  );
}

function useReviewKeys(player: Player, marks: { in: () => void; out: () => void }): void {
  // The library leaves keys alone while somebody types.
  useHotkeys("space, k", player.toggle, { preventDefault: true });
  useHotkeys("comma", () => player.step(-1));
  useHotkeys("period", () => player.step(1));
  useHotkeys("j", () => player.seek(player.index - 10));
  useHotkeys("l", () => player.seek(player.index + 10));
  useHotkeys("shift+left", () => player.seekBy_s(-10));
  useHotkeys("shift+right", () => player.seekBy_s(10));
  useHotkeys("i", marks.in);
  useHotkeys("o", marks.out);
}

function Review({ detail, steps }: { detail: EpisodeDetail; steps: EpisodeSteps }) {
  const { t } = useTranslation();
  const { episode } = detail;
  const { step } = useSearch({ from: "/episodes/$id" });
  const navigate = useNavigate({ from: "/episodes/$id" });
  const track = useMemo<Track>(
    () => ({ step_s: episode.step_s, records: steps.steps.length }),
    [episode.step_s, steps.steps.length],
  );
  const player = usePlayer({
    episode: episode.episode_id,
    cameras: episode.cameras,
    track,
    start: step ?? 0,
    // The address follows the playhead when it rests, not 40 times a second.
    onRest: (index) => void navigate({ search: { step: index }, replace: true }),
  });
  const [range, setRange] = useState<StepRange>({ first: 0, last: 0 });
  const markIn = () =>
    setRange(({ last }) => ({ first: player.index, last: Math.max(player.index, last) }));
  const markOut = () =>
    setRange(({ first }) => ({ first: Math.min(first, player.index), last: player.index }));
  useReviewKeys(player, { in: markIn, out: markOut });
  const series = useMemo(() => seriesOf(steps, track.step_s), [steps, track.step_s]);
  const { segments, takeovers } = useTakeovers(detail, steps);
  const marks = useMemo(() => marksOf(standing(detail.annotations)), [detail.annotations]);
  return (
    <>
      <title>{t("episode.title", { task: episode.task })}</title>
      <Head detail={detail} />
      <div className={classes.review}>
        <div className={classes.stage}>
          <PictureWall player={player} cameras={episode.cameras} step={steps.steps[player.index]} />
          <Panel title={t("timeline.title")} testid="review-timeline">
            <Timeline segments={segments} marks={marks} player={player} track={track} />
            <Transport player={player} track={track} />
            <FrameMark detail={detail} index={player.index} />
            <Jumps takeovers={takeovers} onSeek={player.seek} />
          </Panel>
          <Panel title={t("episode.plots")}>
            <Suspense fallback={<Text>{t("app.loading")}</Text>}>
              <Plots
                series={series}
                playhead_s={player.index * track.step_s}
                onSeek={(time_s) => player.seek(Math.round(time_s / track.step_s))}
              />
            </Suspense>
          </Panel>
        </div>
        <aside className={classes.said}>
          <Labels detail={detail} />
          <TakeoverUses episode={episode} takeovers={takeovers} />
          <Annotations
            detail={detail}
            range={range}
            onIn={markIn}
            onOut={markOut}
            onShow={(index) => player.seek(index)}
          />
        </aside>
      </div>
    </>
  );
}
