/** The open connections, one per robot, for as long as the console is open: STOP works on every page. */
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from "react";
import { useStore } from "zustand";
import { RobotConnection } from "@/live/connection";
import { type LiveState, UNKNOWN } from "@/live/state";

class Connections {
  private readonly open = new Map<string, RobotConnection>();

  to(robot: string): RobotConnection {
    let connection = this.open.get(robot);
    if (!connection) {
      connection = new RobotConnection(robot);
      this.open.set(robot, connection);
    }
    connection.open();
    return connection;
  }

  openAll(): void {
    for (const connection of this.open.values()) connection.open();
  }

  closeAll(): void {
    for (const connection of this.open.values()) connection.close();
  }
}

const ConnectionsContext = createContext<Connections | null>(null);

export function ConnectionsProvider({ children }: { children: ReactNode }) {
  const [connections] = useState(() => new Connections());
  useEffect(() => {
    connections.openAll();
    return () => connections.closeAll();
  }, [connections]);
  return <ConnectionsContext value={connections}>{children}</ConnectionsContext>;
}

export function useConnections(robots: readonly string[]): readonly RobotConnection[] {
  const connections = use(ConnectionsContext);
  if (!connections) throw new Error("useConnections needs a ConnectionsProvider around it");
  return useMemo(() => robots.map((robot) => connections.to(robot)), [connections, robots]);
}

export function useConnection(robot: string): RobotConnection {
  const robots = useMemo(() => [robot], [robot]);
  const [connection] = useConnections(robots);
  if (!connection) throw new Error("one robot has one connection");
  return connection;
}

/** Re-renders only when the selected value changes: select words and flags, never samples. */
export function useLive<T>(connection: RobotConnection, select: (state: LiveState) => T): T {
  return useStore(connection.store, select);
}

/** Calls `draw` at most once per animation frame with the newest state, without rendering. */
export function useDrawing(
  connection: RobotConnection,
  draw: (state: LiveState, nowMs: number) => void,
): void {
  useEffect(() => {
    let last: LiveState = UNKNOWN;
    let frame = requestAnimationFrame(function paint(nowMs) {
      const state = connection.store.getState();
      if (state !== last) draw(state, nowMs);
      last = state;
      frame = requestAnimationFrame(paint);
    });
    return () => cancelAnimationFrame(frame);
  }, [connection, draw]);
}
