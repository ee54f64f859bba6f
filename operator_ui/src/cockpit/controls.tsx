/** What a person decides about the episode: start, pause, label, reset. It follows the episode's stage. */
import { Button, Chip, Group, SegmentedControl, Text, TextInput } from "@mantine/core";
import type { MouseEvent, ReactNode, RefObject } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import type { EpisodeStage, Purpose } from "@/api/messages";
import { Bars, Check, Cross, Home, Play, Rewind } from "@/app/icons";
import { Panel } from "@/app/panel";
import type { Label } from "@/cockpit/commands";
import { KeepGoing } from "@/cockpit/continuation";
import classes from "@/cockpit/controls.module.css";
import { keyName, type PressedAction } from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";
import type { RobotConnection } from "@/live/connection";
import { type EpisodeButton, enabled, episodeButtons } from "@/live/offers";
import { useLive } from "@/live/robots";
import { asksForLease, leaseOf } from "@/live/state";

const PURPOSES: readonly Purpose[] = ["training", "evaluation", "demonstration"];
const NO_CLASSES: readonly string[] = [];

type Perform = (action: PressedAction) => void;

function ActionButton({
  action,
  onAction,
  icon,
  look = "plain",
  children,
  disabled = false,
}: {
  action: PressedAction;
  onAction: Perform;
  icon: ReactNode;
  look?: "plain" | "main" | "success" | "failure";
  children: ReactNode;
  disabled?: boolean;
}) {
  const key = useStore(driveSettings, (settings) => keyName(settings.keys[action]));
  const press = (event: MouseEvent<HTMLButtonElement>) => {
    // After a click the keys belong to the robot again, not to the button.
    if (event.detail > 0) event.currentTarget.blur();
    onAction(action);
  };
  return (
    <Button
      className={classes.action}
      data-look={look}
      data-testid={`action-${action}`}
      variant={look === "main" ? "filled" : "default"}
      size="sm"
      leftSection={icon}
      rightSection={<kbd className={classes.key}>{key}</kbd>}
      disabled={disabled}
      onClick={press}
    >
      {children}
    </Button>
  );
}

type Look = { action: PressedAction; look?: "main" | "success" | "failure"; Icon: typeof Play };

const LOOKS: Readonly<Record<EpisodeButton, Look>> = {
  start: { action: "start", look: "main", Icon: Play },
  success: { action: "success", look: "success", Icon: Check },
  failure: { action: "failure", look: "failure", Icon: Cross },
  pause: { action: "pause", Icon: Bars },
  resume: { action: "pause", Icon: Play },
  rewind: { action: "rewind", Icon: Rewind },
  reset: { action: "reset", Icon: Home },
  confirm: { action: "reset", look: "main", Icon: Check },
  home: { action: "home", Icon: Home },
};

function StageButtons({
  connection,
  onAction,
}: {
  connection: RobotConnection;
  onAction: Perform;
}) {
  const { t } = useTranslation();
  const stage = useLive(connection, (state) => state.telemetry?.episode.stage ?? "ready");
  const mode = useLive(connection, (state) => state.telemetry?.mode ?? "idle");
  const lease = useLive(connection, leaseOf);
  const simulated = useLive(connection, (state) => state.presence?.simulated ?? false);
  const startRefusal = useLive(connection, (state) => state.telemetry?.episode.start_refusal ?? "");
  const reported = useLive(connection, (state) => state.telemetry !== null);
  const asked = useLive(connection, asksForLease);
  const now = { stage, mode, lease, asked, startRefusal };
  // The mode and the holder are shown above; this says what else is in the way.
  const blocked = stage === "ready" && enabled("start", { ...now, startRefusal: "" });
  return (
    <div className={classes.buttons}>
      {episodeButtons(now).map((button) => {
        const { action, look = "plain", Icon } = LOOKS[button];
        const placed = button === "confirm" && simulated;
        return (
          <ActionButton
            key={button}
            action={action}
            look={look}
            icon={<Icon />}
            disabled={!reported || !enabled(button, now)}
            onAction={onAction}
          >
            {t(placed ? "control.confirm_simulated" : `control.${button}`)}
          </ActionButton>
        );
      })}
      {blocked && startRefusal && (
        <Text size="sm" className={classes.refusal} role="status" data-testid="start-refusal">
          {startRefusal}
        </Text>
      )}
    </div>
  );
}

function PurposeChoice({ stage }: { stage: EpisodeStage }) {
  const { t } = useTranslation();
  const purpose = useStore(driveSettings, (settings) => settings.purpose);
  if (stage !== "ready" && stage !== "confirm_reset") return null;
  return (
    <Group gap="sm" mt={8}>
      <Text size="sm">{t("control.purpose")}</Text>
      <SegmentedControl
        size="xs"
        aria-label={t("control.purpose")}
        value={purpose}
        data={PURPOSES.map((value) => ({ value, label: t(`control.purpose_${value}`) }))}
        onChange={(value) => driveSettings.setState({ purpose: value })}
      />
      {purpose === "demonstration" && (
        <Text size="xs" c="var(--console-quiet)">
          {t("control.demonstration_hint")}
        </Text>
      )}
    </Group>
  );
}

function FailureClasses({
  classNames,
  label,
  onLabel,
}: {
  classNames: readonly string[];
  label: Label;
  onLabel: (label: Label) => void;
}) {
  const { t } = useTranslation();
  if (classNames.length === 0) return null;
  return (
    <Chip.Group
      value={label.failureClass ?? ""}
      onChange={(value) => onLabel({ ...label, failureClass: String(value) })}
    >
      <fieldset className={classes.classes} aria-label={t("control.class")}>
        {classNames.map((name, index) => (
          <Chip
            key={name}
            value={name}
            size="xs"
            data-testid={`class-${index + 1}`}
            // A second click takes the choice back; a radio alone cannot.
            onClick={() => {
              if (label.failureClass === name) onLabel({ ...label, failureClass: null });
            }}
          >
            <span className={classes.digit}>{index + 1}</span> {name}
          </Chip>
        ))}
      </fieldset>
    </Chip.Group>
  );
}

export function EpisodeControls({
  connection,
  label,
  onLabel,
  noteField,
  onAction,
}: {
  connection: RobotConnection;
  label: Label;
  onLabel: (label: Label) => void;
  noteField: RefObject<HTMLInputElement | null>;
  onAction: Perform;
}) {
  const { t } = useTranslation();
  const stage = useLive(connection, (state) => state.telemetry?.episode.stage ?? "ready");
  // What the task tells a person to do at the real cell, the simulator does itself.
  const instructions = useLive(connection, ({ presence, telemetry }) =>
    presence?.simulated && telemetry?.episode.stage === "confirm_reset"
      ? t("control.instructions_simulated")
      : (telemetry?.episode.instructions ?? ""),
  );
  const seen = useLive(connection, (state) => state.telemetry?.episode.success_seen ?? false);
  const classNames = useLive(connection, (state) => state.presence?.failure_classes ?? NO_CLASSES);
  const reported = useLive(connection, (state) => state.telemetry !== null);
  const labelling = stage === "running" || stage === "await_label";
  return (
    <Panel
      title={t("control.title")}
      aside={
        <Text size="sm" fw={600} data-testid="stage" data-stage={stage}>
          {reported && t(`control.stage_${stage}`)}
          {seen && stage !== "ready" && ` · ${t("control.success_seen")}`}
        </Text>
      }
    >
      <StageButtons connection={connection} onAction={onAction} />
      {instructions && (
        <Text className={classes.instructions} role="status">
          {instructions}
        </Text>
      )}
      <PurposeChoice stage={stage} />
      <KeepGoing connection={connection} />
      {labelling && <FailureClasses classNames={classNames} label={label} onLabel={onLabel} />}
      <TextInput
        ref={noteField}
        mt={8}
        size="sm"
        aria-label={t("control.note")}
        placeholder={t("control.note_placeholder")}
        value={label.note}
        onChange={(event) => onLabel({ ...label, note: event.currentTarget.value })}
        onKeyDown={(event) => {
          // Enter ends the typing, it does not label.
          if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
        }}
      />
    </Panel>
  );
}
