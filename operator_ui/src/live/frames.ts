/** Binary video frames, as robot_rl.schema.video writes them (little-endian). */

const HEADER_BYTES = 24;
const MAGIC = 0x5652; // 'RV'
const VERSION = 1;

export interface VideoFrame {
  readonly camera: string;
  readonly sequence: number;
  readonly captureNs: number;
  readonly sentNs: number;
  readonly jpeg: Uint8Array<ArrayBuffer>;
}

const text = new TextDecoder();

/** null: these bytes are not a video frame of this version. */
export function decodeFrame(data: ArrayBuffer): VideoFrame | null {
  if (data.byteLength < HEADER_BYTES) return null;
  const view = new DataView(data);
  const body = HEADER_BYTES + view.getUint8(3);
  if (view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== VERSION) return null;
  if (data.byteLength < body) return null;
  return {
    camera: text.decode(new Uint8Array(data, HEADER_BYTES, body - HEADER_BYTES)),
    sequence: view.getUint32(4, true),
    captureNs: Number(view.getBigInt64(8, true)),
    sentNs: Number(view.getBigInt64(16, true)),
    jpeg: new Uint8Array(data, body),
  };
}
