/** The main camera large, the others in a strip; each says how old its picture is. */
import { Text, UnstyledButton } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "@/cockpit/cameras.module.css";
import type { RobotConnection } from "@/live/connection";
import { useLive } from "@/live/robots";
import { VideoConnection } from "@/live/video";

/** The policy holds at 200 ms at the robot; on the way to the eye a frame period and the network come on top. */
const STALE_MS = 500;

function useVideo(connection: RobotConnection): VideoConnection {
  const [video] = useState(() => new VideoConnection(connection.robot, connection.clock));
  useEffect(() => {
    video.open();
    return () => video.close();
  }, [video]);
  return video;
}

function Picture({
  video,
  camera,
  main,
}: {
  video: VideoConnection;
  camera: string;
  main: boolean;
}) {
  const { t } = useTranslation();
  const tile = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const age = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (canvas.current) return video.show(camera, canvas.current);
  }, [video, camera]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!tile.current || !age.current) return;
      const ms = video.ageMs(camera, performance.now());
      const state = ms === null ? "waiting" : ms > STALE_MS ? "stale" : "live";
      tile.current.dataset.state = state;
      age.current.textContent =
        ms === null ? t("camera.waiting") : t("camera.age", { ms: Math.round(ms) });
    }, 200);
    return () => clearInterval(timer);
  }, [video, camera, t]);
  return (
    <div ref={tile} className={classes.tile} data-main={main} data-state="waiting">
      <canvas
        ref={canvas}
        className={classes.canvas}
        data-testid={`camera-${camera}`}
        role="img"
        aria-label={t(main ? "camera.main" : "camera.choose", { camera })}
      />
      <span className={classes.stale}>{t("camera.stale")}</span>
      <span className={classes.caption}>
        <span>{camera}</span>
        <span ref={age} className={classes.age} />
      </span>
    </div>
  );
}

const NO_CAMERAS: readonly string[] = [];

export function Cameras({ connection }: { connection: RobotConnection }) {
  const { t } = useTranslation();
  const video = useVideo(connection);
  const navigate = useNavigate({ from: "/robots/$robot/live" });
  const { camera: wished } = useSearch({ from: "/robots/$robot/live" });
  const cameras = useLive(connection, (state) => state.presence?.cameras ?? NO_CAMERAS);
  const main = cameras.find((camera) => camera === wished) ?? cameras[0];
  if (main === undefined) {
    return (
      <div className={classes.none}>
        <Text c="var(--console-quiet)">{t("live.no_camera")}</Text>
      </div>
    );
  }
  const others = cameras.filter((camera) => camera !== main);
  return (
    <div className={classes.cameras} data-alone={others.length === 0}>
      <Picture key={main} video={video} camera={main} main />
      <div className={classes.strip}>
        {others.map((camera) => (
          <UnstyledButton
            key={camera}
            onClick={() => void navigate({ search: { camera }, replace: true })}
          >
            <Picture video={video} camera={camera} main={false} />
          </UnstyledButton>
        ))}
      </div>
    </div>
  );
}
