/** One robot's video socket: newest frame per camera, one being decoded, older ones dropped. */
import type { RobotClock } from "@/live/clock";
import { socketUrl } from "@/live/connection";
import { decodeFrame, type VideoFrame } from "@/live/frames";

const REDIAL_MS = 1000;

export interface Shown {
  readonly captureNs: number;
  readonly drawnMs: number;
  readonly frames: number;
}

class Screen {
  readonly canvases = new Set<HTMLCanvasElement>();
  shown: Shown | null = null;
  private next: VideoFrame | null = null;
  private busy = false;

  offer(frame: VideoFrame): void {
    this.next = frame;
    if (!this.busy) void this.draw();
  }

  private async draw(): Promise<void> {
    this.busy = true;
    while (this.next) {
      const frame = this.next;
      this.next = null;
      // A damaged JPEG is one frame lost; the next one is on its way.
      const image = await createImageBitmap(new Blob([frame.jpeg], { type: "image/jpeg" })).catch(
        () => null,
      );
      if (!image) continue;
      for (const canvas of this.canvases) paint(canvas, image);
      image.close();
      this.shown = {
        captureNs: frame.captureNs,
        drawnMs: performance.now(),
        frames: (this.shown?.frames ?? 0) + 1,
      };
    }
    this.busy = false;
  }
}

function paint(canvas: HTMLCanvasElement, image: ImageBitmap): void {
  if (canvas.width !== image.width || canvas.height !== image.height) {
    canvas.width = image.width;
    canvas.height = image.height;
  }
  canvas.getContext("2d", { alpha: false })?.drawImage(image, 0, 0);
}

export class VideoConnection {
  private readonly screens = new Map<string, Screen>();
  private socket: WebSocket | null = null;
  private redial: ReturnType<typeof setTimeout> | undefined;
  private closed = true;

  constructor(
    readonly robot: string,
    readonly clock: RobotClock,
  ) {}

  open(): void {
    this.closed = false;
    this.dial();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.redial);
    this.socket?.close();
    this.socket = null;
  }

  /** Draws the camera on this canvas until the returned function is called. */
  show(camera: string, canvas: HTMLCanvasElement): () => void {
    const { canvases } = this.screen(camera);
    canvases.add(canvas);
    return () => canvases.delete(canvas);
  }

  shown(camera: string): Shown | null {
    return this.screens.get(camera)?.shown ?? null;
  }

  /** Age of what is on the screen: capture → now. null: nothing was drawn yet. */
  ageMs(camera: string, nowMs: number): number | null {
    const shown = this.shown(camera);
    return shown && this.clock.ageMs(shown.captureNs, nowMs);
  }

  private screen(camera: string): Screen {
    let screen = this.screens.get(camera);
    if (!screen) {
      screen = new Screen();
      this.screens.set(camera, screen);
    }
    return screen;
  }

  private dial(): void {
    const path = `/api/live/robots/${encodeURIComponent(this.robot)}/video`;
    const socket = new WebSocket(socketUrl(path));
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      const frame = decodeFrame(event.data);
      if (frame) this.screen(frame.camera).offer(frame);
    };
    socket.onclose = () => {
      if (!this.closed && socket === this.socket) {
        this.redial = setTimeout(() => this.dial(), REDIAL_MS);
      }
    };
  }
}
