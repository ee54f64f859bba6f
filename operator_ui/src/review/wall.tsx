/** All cameras at the playhead's step. */
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Step } from "@/api/queries";
import type { Player } from "@/review/player";
import classes from "@/review/review.module.css";

function Camera({ player, camera, stale }: { player: Player; camera: string; stale: boolean }) {
  const { t } = useTranslation();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { pictures, index } = player;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `arrived` says that a picture came
  useEffect(() => {
    const picture = pictures?.at(camera, index);
    const element = canvas.current;
    if (!picture || !element) return;
    if (element.width !== picture.width) element.width = picture.width;
    if (element.height !== picture.height) element.height = picture.height;
    element.getContext("2d", { alpha: false })?.drawImage(picture, 0, 0);
  }, [pictures, camera, index, player.arrived]);
  return (
    <div className={classes.camera}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={t("episode.picture", { camera, step: index })}
        data-testid={`picture-${camera}`}
      />
      <span className={classes.cameraName}>
        {camera}
        {stale && ` · ${t("camera.stale")}`}
      </span>
    </div>
  );
}

export function PictureWall({
  player,
  cameras,
  step,
}: {
  player: Player;
  cameras: readonly string[];
  step: Step | undefined;
}) {
  return (
    <div className={classes.wall} style={{ gridTemplateColumns: `repeat(${cameras.length}, 1fr)` }}>
      {cameras.map((camera) => (
        <Camera
          key={camera}
          player={player}
          camera={camera}
          stale={step?.stale_cameras?.includes(camera) ?? false}
        />
      ))}
    </div>
  );
}
