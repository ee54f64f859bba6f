/** The live page: watch, take over, label, stop. */
import { useDisclosure } from "@mantine/hooks";
import { useParams } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import { ModeBanner } from "@/cockpit/banner";
import { Cameras } from "@/cockpit/cameras";
import { act, type Label } from "@/cockpit/commands";
import { EpisodeControls } from "@/cockpit/controls";
import classes from "@/cockpit/page.module.css";
import { Rail } from "@/cockpit/rail";
import { TakeoverPrompt, useTakeoverQuestion } from "@/cockpit/takeover";
import { LiveTimeline } from "@/cockpit/timeline";
import { TrainingStrip } from "@/cockpit/training";
import { Warnings } from "@/cockpit/warnings";
import { Driver } from "@/drive/driver";
import type { PressedAction } from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";
import { useConnection } from "@/live/robots";

const KeysDialog = lazy(() => import("@/cockpit/keys"));

const NO_LABEL: Label = { failureClass: null, note: "" };

export function LivePage() {
  const { robot } = useParams({ from: "/robots/$robot/live" });
  return <Cockpit key={robot} robot={robot} />;
}

function Cockpit({ robot }: { robot: string }) {
  const { t } = useTranslation();
  const connection = useConnection(robot);
  const [help, { open: openHelp, close: closeHelp }] = useDisclosure(false);
  const [label, setLabel] = useState<Label>(NO_LABEL);
  const noteField = useRef<HTMLInputElement>(null);
  const purpose = useStore(driveSettings, (settings) => settings.purpose);

  const asked = useTakeoverQuestion(connection);

  // The driver outlives renders; it always calls the newest handler.
  const handle = useRef<(action: PressedAction) => void>(() => undefined);
  const driver = useMemo(
    () => new Driver(connection, (action) => handle.current(action)),
    [connection],
  );
  useEffect(() => {
    driver.start();
    return () => driver.stop();
  }, [driver]);
  useEffect(() => driver.block(help), [driver, help]);

  const perform = (action: PressedAction) => {
    if (action === "help") return openHelp();
    if (action === "note") return noteField.current?.focus();
    if (action === "gripper") return driver.toggleGripper();
    if (action === "arm") return driver.nextArm();
    if (asked.answer(action)) return;
    const done = act(connection, action, { label, purpose });
    if (done === "labelled") setLabel(NO_LABEL);
    if (done !== null && done !== "labelled")
      setLabel({ ...label, failureClass: done.failureClass });
  };
  useEffect(() => {
    handle.current = perform;
  });

  return (
    <div className={classes.page}>
      <title>{t("live.title", { robot })}</title>
      <ModeBanner connection={connection} driver={driver} />
      <div className={classes.columns}>
        <div className={classes.centre}>
          <div className={classes.pictures}>
            <Cameras connection={connection} />
            <Warnings connection={connection} />
          </div>
          <div className={classes.below}>
            <EpisodeControls
              connection={connection}
              label={label}
              onLabel={setLabel}
              noteField={noteField}
              onAction={perform}
            />
            <div className={classes.history}>
              <LiveTimeline connection={connection} />
              <TrainingStrip connection={connection} />
              <TakeoverPrompt asked={asked} onAction={perform} />
            </div>
          </div>
        </div>
        <Rail connection={connection} driver={driver} onAction={perform} onKeys={openHelp} />
      </div>
      <Suspense>{help && <KeysDialog opened={help} onClose={closeHelp} />}</Suspense>
    </div>
  );
}
