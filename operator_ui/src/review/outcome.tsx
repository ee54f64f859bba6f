import { useTranslation } from "react-i18next";
import type { Outcome } from "@/api/messages";
import { Check, Circle, Cross, Dash } from "@/app/icons";
import classes from "@/review/review.module.css";

const SHAPES = { success: Check, failure: Cross, aborted: Dash, none: Circle } as const;

/** Shape and word, then colour. */
export function OutcomeMark({ outcome }: { outcome: Outcome | null }) {
  const { t } = useTranslation();
  const known = outcome ?? "none";
  const Shape = SHAPES[known];
  return (
    <span className={classes.outcome} data-outcome={known}>
      <Shape size={16} /> {t(`outcome.${known}`)}
    </span>
  );
}
