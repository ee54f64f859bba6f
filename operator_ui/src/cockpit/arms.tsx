/** Which arm the hand drives, where the robot has several. */
import { Group, SegmentedControl, Text } from "@mantine/core";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import classes from "@/cockpit/rail.module.css";
import { armChoices, drivenArm } from "@/drive/arms";
import type { Driver } from "@/drive/driver";
import { keyName } from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";
import type { RobotConnection } from "@/live/connection";
import { useLive } from "@/live/robots";

const NO_ARMS: readonly string[] = [];

/** While a dead-man is held it is disabled: the robot takes another arm only once it is let go. */
export function ArmChooser({
  connection,
  driver,
}: {
  connection: RobotConnection;
  driver: Driver;
}) {
  const { t } = useTranslation();
  const hint = useId();
  const arms = useLive(connection, ({ presence }) => presence?.arms ?? NO_ARMS);
  const chosen = useStore(armChoices, (choices) => choices[connection.robot]);
  const held = useStore(driver.held, ({ deadman }) => deadman);
  const keys = useStore(driveSettings, (settings) => settings.keys);
  const arm = drivenArm(arms, chosen);
  if (arms.length < 2 || arm === null) return null;
  return (
    <div data-testid="arm-chooser">
      <Group justify="space-between" mt={8} wrap="nowrap">
        <Text size="sm">
          {t("rail.drives")} <kbd className={classes.key}>{keyName(keys.arm)}</kbd>
        </Text>
        <SegmentedControl
          size="xs"
          aria-label={t("rail.drives")}
          aria-describedby={hint}
          value={arm}
          data={[...arms]}
          disabled={held}
          onChange={(value) => driver.chooseArm(value)}
        />
      </Group>
      <Text id={hint} size="xs" c="var(--console-quiet)" mt={4}>
        {held
          ? t("rail.drives_held", { key: keyName(keys.deadman) })
          : t("rail.drives_hint", { key: keyName(keys.deadman), arm })}
      </Text>
    </div>
  );
}
