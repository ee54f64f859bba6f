import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.ROBOT_RL_SERVER ?? "http://127.0.0.1:8420";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    // The server serves this folder; it is never committed.
    outDir: "../robot_rl/server/console",
    emptyOutDir: true,
    manifest: true,
    target: "es2023",
  },
  // `npm run dev` beside a running server: same origin for cookies and sockets.
  server: {
    proxy: {
      "/api": { target: server, ws: true },
      "/login": { target: server },
    },
  },
  test: { environment: "node", include: ["src/**/*.test.ts", "src/**/*.test.tsx"] },
});
