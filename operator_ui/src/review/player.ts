/** Playback tied to the screen's refresh and to the pictures that are there. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Pictures } from "@/review/pictures";
import {
  advance,
  indexAt,
  type Playback,
  seek,
  stepBy,
  type Track,
  toggle,
} from "@/review/playback";

const REST_MS = 400;

export interface Player {
  readonly index: number;
  readonly playback: Playback;
  readonly pictures: Pictures | null;
  /** Counts the pictures that arrived: drawn again when one comes late. */
  readonly arrived: number;
  readonly toggle: () => void;
  readonly step: (frames: number) => void;
  readonly seek: (index: number) => void;
  readonly seekBy_s: (seconds: number) => void;
  readonly setRate: (rate: number) => void;
}

export function usePlayer({
  episode,
  cameras,
  track,
  start,
  onRest,
}: {
  episode: string;
  cameras: readonly string[];
  track: Track;
  start: number;
  onRest: (index: number) => void;
}): Player {
  const [playback, setPlayback] = useState<Playback>(() =>
    seek({ position_s: 0, playing: false, rate: 1 }, start, track),
  );
  const [arrived, setArrived] = useState(0);
  const [pictures, setPictures] = useState<Pictures | null>(null);
  const index = indexAt(playback.position_s, track);
  const names = cameras.join("\n");

  useEffect(() => {
    const made = new Pictures(episode, names === "" ? [] : names.split("\n"), () =>
      setArrived((count) => count + 1),
    );
    setPictures(made);
    return () => made.close();
  }, [episode, names]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: each arrival makes room for the next
  useEffect(() => {
    pictures?.want(index, track.records - 1);
  }, [pictures, index, track.records, arrived]);

  const { playing } = playback;
  useEffect(() => {
    if (!playing || !pictures) return;
    let last = performance.now();
    let frame = requestAnimationFrame(function next(now) {
      const dt_s = (now - last) / 1000;
      last = now;
      setPlayback((before) => advance(before, dt_s, track, (step) => pictures.ready(step)));
      frame = requestAnimationFrame(next);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing, pictures, track]);

  const rest = useRef(onRest);
  useEffect(() => {
    rest.current = onRest;
  });
  const first = useRef(true);
  useEffect(() => {
    // The address says where the playhead was put, not that a page was opened.
    if (first.current) {
      first.current = false;
      return;
    }
    if (playing) return;
    const timer = setTimeout(() => rest.current(index), REST_MS);
    return () => clearTimeout(timer);
  }, [playing, index]);

  const change = useCallback((next: (before: Playback) => Playback) => setPlayback(next), []);
  return useMemo(
    () => ({
      index,
      playback,
      pictures,
      arrived,
      toggle: () => change((now) => toggle(now, track)),
      step: (frames: number) => change((now) => stepBy(now, frames, track)),
      seek: (to: number) => change((now) => seek(now, to, track)),
      seekBy_s: (seconds: number) =>
        change((now) => seek(now, (now.position_s + seconds) / track.step_s, track)),
      setRate: (rate: number) => change((now) => ({ ...now, rate })),
    }),
    [index, playback, pictures, arrived, change, track],
  );
}
