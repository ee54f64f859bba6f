import { describe, expect, it, vi } from "vitest";

// The client reads the address of the page when it is loaded.
vi.stubGlobal("window", { location: { origin: "http://console" } });
const { ServerError } = await import("@/api/client");
const { DecisionQueue } = await import("@/api/decisions");

const SAID = { episodeId: "e", interventionId: "i", use: "discard", byDefault: false } as const;

function server(...answers: readonly (Error | null)[]) {
  const left = [...answers];
  const sent: { decisionId: string; use: string }[] = [];
  const waited: number[] = [];
  const queue = new DecisionQueue(
    async (decision) => {
      sent.push(decision);
      const problem = left.shift();
      if (problem) throw problem;
    },
    async (ms) => {
      waited.push(ms);
    },
  );
  return { queue, sent, waited };
}

describe("decisions on their way to the server", () => {
  it("are sent again under the same id until they are stored", async () => {
    const { queue, sent, waited } = server(new TypeError("no network"), new ServerError(503, "no"));
    await queue.put(SAID);
    expect(waited).toEqual([500, 1000]);
    expect(new Set(sent.map((one) => one.decisionId)).size).toBe(1);
    expect(sent.length).toBe(3);
    expect(queue.state.getState()).toEqual({ late: false, failed: null });
  });

  it("keep their order, or an old default would outweigh the answer", async () => {
    const { queue, sent } = server(new TypeError("no network"));
    void queue.put({ ...SAID, use: "correction", byDefault: true });
    await queue.put(SAID);
    expect(sent.map((one) => one.use)).toEqual(["correction", "correction", "discard"]);
  });

  it("are given up when the server refuses, with its sentence", async () => {
    const { queue, sent } = server(new ServerError(422, "it belongs to another episode"));
    await queue.put(SAID);
    expect(sent.length).toBe(1);
    expect(queue.state.getState().failed).toBe("it belongs to another episode");
  });

  it("are given up when nobody answers for two minutes", async () => {
    const { queue, waited } = server(...Array.from({ length: 100 }, () => new TypeError("away")));
    await queue.put(SAID);
    expect(waited.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual(120_000);
    expect(queue.state.getState().failed).toBe("");
  });
});
