/** Which frames a success classifier learns from: a person says what the frame shown is. */
import { Button, Group, Text } from "@mantine/core";
import { useHotkeys } from "react-hotkeys-hook";
import { useTranslation } from "react-i18next";
import { type EpisodeDetail, useAnnotate } from "@/api/queries";
import { standing } from "@/review/annotations";
import classes from "@/review/review.module.css";
import { type Mark, markAt, marksOf } from "@/review/success";

/** The marks under the timeline, where they stand. */
export function MarkStrip({ marks, records }: { marks: readonly Mark[]; records: number }) {
  const { t } = useTranslation();
  if (marks.length === 0) return null;
  return (
    <div className={classes.marks} data-testid="success-marks">
      {marks.map((mark) => (
        <span
          key={mark.id}
          className={classes.mark}
          data-success={mark.success}
          title={`${t(mark.success ? "marks.success" : "marks.none")}, ${t("timeline.step", {
            start: mark.first,
            end: mark.last,
          })}`}
          style={{
            left: `${(100 * mark.first) / records}%`,
            width: `${(100 * (mark.last - mark.first + 1)) / records}%`,
          }}
        />
      ))}
    </div>
  );
}

export function FrameMark({ detail, index }: { detail: EpisodeDetail; index: number }) {
  const { t } = useTranslation();
  const annotate = useAnnotate(detail.episode.episode_id);
  const mark = markAt(marksOf(standing(detail.annotations)), index);
  const say = (success: boolean) => {
    if (mark?.success === success || annotate.isPending) return;
    annotate.mutate({
      first_index: index,
      last_index: index,
      failure_class: null,
      text: "",
      shows_success: success,
      replaces: mark?.first === mark?.last ? (mark?.id ?? null) : null,
      withdrawn: false,
    });
  };
  useHotkeys("y", () => say(true));
  useHotkeys("n", () => say(false));
  return (
    <Group gap="xs" mt="xs" data-testid="frame-mark">
      <Text size="sm">{t("marks.question")}</Text>
      {([true, false] as const).map((success) => (
        <Button
          key={String(success)}
          size="xs"
          variant={mark?.success === success ? "filled" : "default"}
          aria-pressed={mark?.success === success}
          onClick={() => say(success)}
        >
          {t(success ? "marks.success" : "marks.none")} {success ? "Y" : "N"}
        </Button>
      ))}
      {annotate.error && (
        <Text size="sm" role="alert">
          {annotate.error.message}
        </Text>
      )}
    </Group>
  );
}
