/** What the hand does: the device, the dead-man, the raw axes. Drawn at most ten times a second. */
import { Button, Text } from "@mantine/core";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "zustand";
import classes from "@/cockpit/rail.module.css";
import type { Driver } from "@/drive/driver";
import type { RobotConnection } from "@/live/connection";
import { useLive } from "@/live/robots";

const AXES = ["x", "y", "z", "rx", "ry", "rz"] as const;
const DRAW_MS = 100;

function SpaceMouse({ connection, driver }: { connection: RobotConnection; driver: Driver }) {
  const { t } = useTranslation();
  const here = useStore(driver.devices, (devices) => devices.spacemouse);
  const pad = useStore(driver.devices, (devices) => devices.gamepad);
  const atRobot = useLive(connection, (state) => state.telemetry?.device_name ?? null);
  return (
    <>
      {atRobot && (
        <Text size="xs" mt={4}>
          {t("rail.spacemouse_robot", { name: atRobot })}
        </Text>
      )}
      {pad && (
        <Text size="xs" mt={4}>
          {t("rail.device_gamepad")}: {pad.replace(/\s*\(.*\)\s*/, "")}
        </Text>
      )}
      {here ? (
        <Text size="xs" mt={4}>
          {here}
        </Text>
      ) : (
        <Button
          size="compact-xs"
          variant="default"
          mt={6}
          disabled={!("hid" in navigator)}
          title={t("rail.spacemouse_secure")}
          onClick={() => void driver.openSpaceMouse()}
        >
          {t("rail.spacemouse_add")}
        </Button>
      )}
    </>
  );
}

export function InputState({
  connection,
  driver,
}: {
  connection: RobotConnection;
  driver: Driver;
}) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const bars = useRef<(HTMLSpanElement | null)[]>([]);
  const device = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const words = {
      keyboard: t("rail.device_keyboard"),
      gamepad: t("rail.device_gamepad"),
      browser_spacemouse: t("rail.device_spacemouse"),
    };
    const timer = setInterval(() => {
      const { intent } = driver;
      const { telemetry } = connection.store.getState();
      // A SpaceMouse at the robot is read there; it shows when nothing is held here.
      const axes = intent.deadman ? intent.axes : (telemetry?.device_axes ?? intent.axes);
      if (box.current) box.current.dataset.held = String(intent.deadman);
      if (device.current) {
        const name = words[intent.device as keyof typeof words] ?? intent.device;
        const spent = driver.spent.getState().why !== null;
        const held = t(spent ? "rail.spent" : intent.deadman ? "rail.held" : "rail.released");
        device.current.textContent = `${name} · ${t("rail.dead_man")} ${held}`;
      }
      for (const [index, bar] of bars.current.entries()) {
        const value = axes[index] ?? 0;
        if (!bar) continue;
        bar.style.left = `${50 + Math.min(0, value) * 50}%`;
        bar.style.width = `${Math.abs(value) * 50}%`;
      }
    }, DRAW_MS);
    return () => clearInterval(timer);
  }, [connection, driver, t]);
  return (
    <div ref={box} className={classes.input} data-held="false" data-testid="input">
      <span ref={device} className={classes.device} />
      <div className={classes.axes} aria-hidden="true">
        {AXES.map((axis, index) => (
          <div key={axis} className={classes.axis}>
            <span className={classes.axisName}>{t(`rail.axis_${axis}`)}</span>
            <span className={classes.axisTrack}>
              <span
                className={classes.axisFill}
                ref={(element) => {
                  bars.current[index] = element;
                }}
              />
            </span>
          </div>
        ))}
      </div>
      <SpaceMouse connection={connection} driver={driver} />
    </div>
  );
}
