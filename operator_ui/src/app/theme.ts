import { createTheme, type MantineColorsTuple } from "@mantine/core";

const ink: MantineColorsTuple = [
  "#eef1f5",
  "#d9dee6",
  "#b4bdcb",
  "#8c98ab",
  "#6b788d",
  "#4d596c",
  "#364152",
  "#242d3a",
  "#171e28",
  "#0e131a",
];

export const theme = createTheme({
  primaryColor: "blue",
  primaryShade: { light: 7, dark: 6 },
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
