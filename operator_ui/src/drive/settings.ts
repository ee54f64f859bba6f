/** What this person has set for driving; kept in this browser. */

import { persist } from "zustand/middleware";
import { createStore } from "zustand/vanilla";
import type { DriveFrame, InterventionUse, Purpose } from "@/api/messages";
import { DEFAULT_KEYS, type KeyMap, restored } from "@/drive/keymap";

export interface DriveSettings {
  readonly keys: KeyMap;
  /** Single-key shortcuts can be switched off (WCAG 2.1.4); the stop key stays. */
  readonly singleKeys: boolean;
  readonly frame: DriveFrame;
  readonly speed: number;
  /** What the next episode is recorded for. */
  readonly purpose: Purpose;
  /** What a takeover is for training when nobody says: the person's last choice. */
  readonly takeoverUse: InterventionUse;
}

const DEFAULTS: DriveSettings = {
  keys: DEFAULT_KEYS,
  singleKeys: true,
  frame: "base",
  speed: 0.5,
  purpose: "training",
  takeoverUse: "correction",
};

export const driveSettings = createStore<DriveSettings>()(
  persist(() => DEFAULTS, {
    name: "robot-rl.drive",
    version: 1,
    merge: (stored, current) => {
      const kept = { ...current, ...(stored as Partial<DriveSettings> | undefined) };
      return { ...kept, keys: restored(kept.keys) };
    },
  }),
);
