/** Which key does what. Keys are physical (`KeyboardEvent.code`), so that W A S D sits the same on every layout. */

export const HELD_ACTIONS = [
  "deadman",
  "forward",
  "back",
  "left",
  "right",
  "up",
  "down",
  "roll_left",
  "roll_right",
  "pitch_up",
  "pitch_down",
  "yaw_left",
  "yaw_right",
] as const;

export const PRESSED_ACTIONS = [
  "stop",
  "gripper",
  "give_back",
  "correction",
  "recovery",
  "discard",
  "pause",
  "rewind",
  "start",
  "success",
  "failure",
  "reset",
  "home",
  "note",
  "arm",
  "frame",
  "slower",
  "faster",
  "help",
  ...([1, 2, 3, 4, 5, 6, 7, 8, 9] as const).map((n) => `class_${n}` as const),
] as const;

export type HeldAction = (typeof HELD_ACTIONS)[number];
export type PressedAction = (typeof PRESSED_ACTIONS)[number];
export type Action = HeldAction | PressedAction;
export type KeyMap = Readonly<Record<Action, string>>;

export const ACTIONS: readonly Action[] = [...HELD_ACTIONS, ...PRESSED_ACTIONS];

export const DEFAULT_KEYS: KeyMap = {
  deadman: "KeyV",
  forward: "KeyW",
  back: "KeyS",
  left: "KeyA",
  right: "KeyD",
  down: "KeyQ",
  up: "KeyE",
  roll_left: "KeyU",
  roll_right: "KeyO",
  pitch_up: "KeyI",
  pitch_down: "KeyK",
  yaw_left: "KeyJ",
  yaw_right: "KeyL",
  stop: "F8",
  gripper: "KeyG",
  give_back: "KeyB",
  correction: "KeyC",
  recovery: "KeyP",
  discard: "KeyX",
  pause: "Space",
  rewind: "KeyZ",
  start: "KeyT",
  success: "Enter",
  failure: "Backspace",
  reset: "KeyR",
  home: "KeyH",
  note: "KeyN",
  arm: "KeyM",
  frame: "KeyF",
  slower: "BracketLeft",
  faster: "BracketRight",
  help: "Slash",
  class_1: "Digit1",
  class_2: "Digit2",
  class_3: "Digit3",
  class_4: "Digit4",
  class_5: "Digit5",
  class_6: "Digit6",
  class_7: "Digit7",
  class_8: "Digit8",
  class_9: "Digit9",
};

// Held or tapped five times they switch on Sticky Keys, or never say that they were let go.
const MODIFIERS =
  /^(Shift|Control|Alt|Meta|OS)(Left|Right)?$|^(CapsLock|NumLock|ScrollLock|Fn|FnLock)$/;
// Escape closes and Tab moves the focus; neither may label or move anything.
const RESERVED = new Set(["Escape", "Tab", "F5", "F11", "F12"]);
/** Keys that type nothing work while typing too: only those may stop the robot from a text field. */
const FUNCTION_KEY = /^F([1-9]|1\d|2[0-4])$|^Pause$/;

export type Refusal = "modifier" | "reserved" | "taken" | "types" | null;

/** Why this key cannot be given to this action; null: it can. */
export function refusal(keys: KeyMap, action: Action, code: string): Refusal {
  if (MODIFIERS.test(code)) return "modifier";
  if (RESERVED.has(code)) return "reserved";
  if (action === "stop" && !FUNCTION_KEY.test(code)) return "types";
  return ACTIONS.some((other) => other !== action && keys[other] === code) ? "taken" : null;
}

export function remap(keys: KeyMap, action: Action, code: string): KeyMap {
  return refusal(keys, action, code) === null ? { ...keys, [action]: code } : keys;
}

/** A map from before these existed keeps its keys: they give way to those that a person chose. */
const NEWER_ACTIONS = [
  "recovery",
  "discard",
  "home",
  "arm",
  "rewind",
] as const satisfies readonly Action[];
/** With the keys that a person has freed there are as many as actions: one is always left. */
const SPARE_KEYS: readonly string[] = [
  ...["Z", "Y", "M", "X", "P", "H"].map((key) => `Key${key}`),
  ...Object.values(DEFAULT_KEYS),
];

/** A key map from storage: unknown actions and forbidden keys fall back to the default. */
export function restored(stored: unknown): KeyMap {
  if (typeof stored !== "object" || stored === null) return DEFAULT_KEYS;
  const wished = new Map(Object.entries(stored));
  let keys: KeyMap = DEFAULT_KEYS;
  for (const action of ACTIONS) {
    const code: unknown = wished.get(action);
    if (typeof code === "string") keys = { ...keys, [action]: code };
  }
  for (const action of NEWER_ACTIONS) {
    if (!wished.has(action) && refusal(keys, action, keys[action]) === "taken") {
      const free = SPARE_KEYS.find((code) => refusal(keys, action, code) === null);
      if (free !== undefined) keys = { ...keys, [action]: free };
    }
  }
  const sound = ACTIONS.every((action) => refusal(keys, action, keys[action]) === null);
  return sound ? keys : DEFAULT_KEYS;
}

export function actionOf(keys: KeyMap, code: string): Action | null {
  return ACTIONS.find((action) => keys[action] === code) ?? null;
}

const NAMES: Readonly<Record<string, string>> = {
  BracketLeft: "[",
  BracketRight: "]",
  Slash: "?",
  Backquote: "`",
  Backslash: "\\",
  Minus: "−",
  Equal: "=",
  Comma: ",",
  Period: ".",
  Semicolon: ";",
  Quote: "'",
  Enter: "Enter",
  Backspace: "⌫",
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
};

export function keyName(code: string): string {
  return NAMES[code] ?? code.replace(/^Key|^Digit/, "").replace(/^Numpad/, "Num ");
}

const TYPING = new Set(["INPUT", "TEXTAREA", "SELECT"]);

/** Is the person typing, so that keys are letters? */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) {
    return !["checkbox", "radio", "button", "range"].includes(target.type);
  }
  return TYPING.has(target.tagName) || target.isContentEditable === true;
}

/** Enter and Space press what has the focus; then they must not label or pause as well. */
export function pressesFocus(code: string, target: EventTarget | null): boolean {
  if (!["Enter", "Space", "NumpadEnter"].includes(code)) return false;
  return target instanceof Element && target.closest("button, a, summary, [role], input") !== null;
}
