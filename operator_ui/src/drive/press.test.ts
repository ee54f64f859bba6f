import { describe, expect, it } from "vitest";
import { follow, type Press, RELEASED, type Seen } from "@/drive/press";

const HELD: Seen = { deadman: true, connection: "first", driving: false };
const RELEASE: Partial<Seen> = { deadman: false };
const DRIVING: Partial<Seen> = { driving: true };

function pressed(...seen: readonly Partial<Seen>[]): Press {
  return seen.reduce<Press>((press, change) => follow(press, { ...HELD, ...change }), RELEASED);
}

describe("a press of the dead-man", () => {
  it("drives until its takeover ends", () => {
    expect(pressed({}, DRIVING, DRIVING).spent).toBeNull();
    expect(pressed({}, DRIVING, {}).spent).toBe("ended");
    expect(pressed({}, DRIVING, {}, {}, DRIVING).spent).toBe("ended");
  });

  it("does not outlive the connection, however short the gap", () => {
    expect(pressed({}, DRIVING, { connection: null }).spent).toBe("connection");
    expect(pressed({}, DRIVING, { connection: "second" }).spent).toBe("connection");
    expect(pressed({}, { connection: null }, {}).spent).toBe("connection");
  });

  it("does not count when it began without a connection", () => {
    expect(pressed({ connection: null }, {}, {}).spent).toBe("connection");
  });

  it("counts anew after it was let go, with or without a connection", () => {
    expect(pressed({}, DRIVING, {}, RELEASE, {}).spent).toBeNull();
    expect(
      pressed({}, DRIVING, { connection: null }, { ...RELEASE, connection: null }, {}),
    ).toEqual({
      held: true,
      connection: "first",
      drove: false,
      spent: null,
    });
  });
});
