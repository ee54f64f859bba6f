import { expect, it } from "vitest";
import { decodeFrame } from "@/live/frames";

// robot_rl.schema.video.encode_frame(camera="wrist", sequence=7, capture_ns=123456789012,
// sent_ns=123456790012, jpeg=b"\xff\xd8\xff")
const HEX = "5256010507000000141a99be1c000000fc1d99be1c0000007772697374ffd8ff";

function bytes(hex: string): ArrayBuffer {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)).buffer;
}

it("reads what the robot writes", () => {
  const frame = decodeFrame(bytes(HEX));
  expect(frame).toMatchObject({
    camera: "wrist",
    sequence: 7,
    captureNs: 123_456_789_012,
    sentNs: 123_456_790_012,
  });
  expect([...(frame?.jpeg ?? [])]).toEqual([0xff, 0xd8, 0xff]);
});

it("refuses what is not a frame", () => {
  expect(decodeFrame(new ArrayBuffer(3))).toBeNull();
  expect(decodeFrame(bytes(`00${HEX.slice(2)}`))).toBeNull();
  expect(decodeFrame(bytes(HEX.slice(0, 52)))).toBeNull();
});
