import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";

const ink: MantineColorsTuple = [
  "#eef1f5",
  "#d9dee6",
  "#b4bdcb",
  "#8c98ab",
  "#465264",
  "#323d4d",
  "#222b38",
  "#171d26",
  "#0f141b",
  "#0a0e13",
];

export const theme = createTheme({
  primaryColor: "blue",
  primaryShade: 8,
  // Words on filled buttons keep a contrast of 4.5 on every colour.
  autoContrast: true,
  luminanceThreshold: 0.35,
  colors: { dark: ink },
  fontFamily: "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', monospace",
  defaultRadius: "md",
  respectReducedMotion: true,
  focusRing: "auto",
  cursorType: "pointer",
});

/** Quiet words are quiet, not unreadable: 4.5 on both backgrounds. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: { "--mantine-color-dimmed": "#566174", "--mantine-color-placeholder": "#6a7484" },
  dark: { "--mantine-color-dimmed": "#a3adbd", "--mantine-color-placeholder": "#a3adbd" },
});
