/** The right rail: how near the limits, who has control, what the hand does. */
import { Button, Group, Progress, SegmentedControl, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import { Keys } from "@/app/icons";
import { Panel } from "@/app/panel";
import { ArmChooser } from "@/cockpit/arms";
import { request } from "@/cockpit/commands";
import { Gauges } from "@/cockpit/gauges";
import { InputState } from "@/cockpit/input";
import classes from "@/cockpit/rail.module.css";
import type { Driver } from "@/drive/driver";
import { localTakeover } from "@/drive/engagement";
import { keyName, type PressedAction } from "@/drive/keymap";
import { driveSettings } from "@/drive/settings";
import type { RobotConnection } from "@/live/connection";
import { handButton } from "@/live/offers";
import { useLive } from "@/live/robots";
import { asksForLease, holdsLease, isWaiting, leaseOf } from "@/live/state";

/** The SpaceMouse at the robot PC: its dead-man is read there, so here is only the asking. */
function LocalTakeover({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const device = useLive(connection, (state) => state.telemetry?.device_name ?? null);
  const stands = useLive(connection, (state) =>
    localTakeover({
      device,
      mode: state.telemetry?.mode ?? "idle",
      leaseIsOurs: holdsLease(state),
      waiting: isWaiting(state, "takeover"),
    }),
  );
  if (stands === "absent" || device === null) return null;
  if (stands === "needs_lease") {
    return (
      <Text size="xs" c="var(--console-quiet)" mt={8}>
        {t("rail.local_needs_control", { device })}
      </Text>
    );
  }
  return (
    <>
      <Button
        fullWidth
        mt={8}
        loading={stands === "waiting"}
        data-testid="local-takeover"
        onClick={(event) => {
          if (event.detail > 0) event.currentTarget.blur();
          request(connection, { kind: "takeover", device, reason: "" });
        }}
      >
        {t("rail.local_take", { device })}
      </Button>
      <Text size="xs" c="var(--console-quiet)" mt={4}>
        {t("rail.local_hint", { device })}
      </Text>
    </>
  );
}

/** Somebody asks for control: whoever holds it agrees or keeps it. */
function Asked({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const ours = useLive(connection, holdsLease);
  const name = useLive(connection, (state) => state.telemetry?.lease.asked_by ?? null);
  if (!ours || name === null) return null;
  const answer = (consent: boolean) => request(connection, { kind: "answer_lease", consent });
  return (
    <div role="alert" data-testid="lease-asked">
      <Text size="sm" mt={8}>
        {t("rail.asked", { name })}
      </Text>
      <Button mt={4} mr={8} variant="default" onClick={() => answer(true)}>
        {t("rail.asked_pass")}
      </Button>
      <Button mt={4} variant="default" onClick={() => answer(false)}>
        {t("rail.asked_keep")}
      </Button>
    </div>
  );
}

function Control({
  connection,
  onAction,
}: {
  connection: RobotConnection;
  onAction: (action: PressedAction) => void;
}) {
  const { t } = useTranslation();
  const lease = useLive(connection, leaseOf);
  const mode = useLive(connection, (state) => state.telemetry?.mode ?? "idle");
  const asked = useLive(connection, asksForLease);
  const button = handButton({ mode, lease, asked });
  const keys = useStore(driveSettings, (settings) => settings.keys);
  const device = useLive(connection, (state) => state.telemetry?.device_name ?? null);
  const driving = button === "give_back";
  const names = { key: keyName(keys.deadman), back: keyName(keys.give_back), device };
  return (
    <Panel title={t("rail.control")}>
      <Text size="sm" mb={8}>
        {driving
          ? t(device === null ? "rail.driving_hint" : "rail.local_driving_hint", names)
          : t("rail.takeover_hint", names)}
      </Text>
      {driving ? (
        <Button
          fullWidth
          onClick={(event) => {
            event.currentTarget.blur();
            onAction("give_back");
          }}
          data-testid="give-back"
        >
          {t("rail.give_back")} · {keyName(keys.give_back)}
        </Button>
      ) : (
        <Button
          fullWidth
          variant="default"
          data-testid="lease"
          onClick={() =>
            request(
              connection,
              button === "acquire"
                ? { kind: "acquire_lease", preempt: "" }
                : { kind: "release_lease" },
            )
          }
        >
          {t(`rail.${button}`)}
        </Button>
      )}
      <Asked connection={connection} />
      <LocalTakeover connection={connection} />
    </Panel>
  );
}

function Input({
  connection,
  driver,
  onAction,
  onKeys,
}: {
  connection: RobotConnection;
  driver: Driver;
  onAction: (action: PressedAction) => void;
  onKeys: () => void;
}) {
  const { t } = useTranslation();
  const { frame, speed: scale, keys } = useStore(driveSettings);
  return (
    <Panel
      title={t("rail.input")}
      aside={
        <Button
          size="compact-xs"
          variant="subtle"
          leftSection={<Keys size={16} />}
          onClick={onKeys}
        >
          {t("rail.keys")}
        </Button>
      }
    >
      <InputState connection={connection} driver={driver} />
      <ArmChooser connection={connection} driver={driver} />
      <Group justify="space-between" mt={8} wrap="nowrap">
        <Text size="sm">
          {t("rail.frame")} <kbd className={classes.key}>{keyName(keys.frame)}</kbd>
        </Text>
        <SegmentedControl
          size="xs"
          aria-label={t("rail.frame")}
          value={frame}
          data={[
            { value: "base", label: t("rail.frame_base") },
            { value: "tool", label: t("rail.frame_tool") },
          ]}
          onChange={(value) => driveSettings.setState({ frame: value })}
        />
      </Group>
      <Group justify="space-between" mt={8} wrap="nowrap">
        <Text size="sm">
          {t("rail.speed_scale")} <kbd className={classes.key}>{keyName(keys.slower)}</kbd>{" "}
          <kbd className={classes.key}>{keyName(keys.faster)}</kbd>
        </Text>
        <Text size="sm" fw={600}>
          {scale * 100} %
        </Text>
      </Group>
      <Progress mt={4} size="sm" value={scale * 100} aria-hidden="true" />
      <Group justify="space-between" mt={8} wrap="nowrap">
        <Text size="sm">
          {t("rail.gripper")} <kbd className={classes.key}>{keyName(keys.gripper)}</kbd>
        </Text>
        <Button
          size="compact-xs"
          variant="default"
          onClick={(event) => {
            event.currentTarget.blur();
            onAction("gripper");
          }}
        >
          {t("rail.gripper_toggle")}
        </Button>
      </Group>
    </Panel>
  );
}

export function Rail(props: {
  connection: RobotConnection;
  driver: Driver;
  onAction: (action: PressedAction) => void;
  onKeys: () => void;
}) {
  const { connection } = props;
  return (
    <aside className={classes.rail}>
      <Gauges connection={connection} />
      <Control connection={connection} onAction={props.onAction} />
      <Input {...props} />
    </aside>
  );
}
