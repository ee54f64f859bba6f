/** Decoded pictures of one episode: the ones around the playhead, loaded ahead, oldest use dropped. */
import { frameUrl } from "@/api/queries";

const KEPT = 600;
const AHEAD = 16;
const AT_ONCE = 6;

export class Pictures {
  private readonly kept = new Map<string, ImageBitmap>();
  private readonly missing = new Set<string>();
  private readonly loading = new Set<string>();
  private closed = false;

  constructor(
    private readonly episode: string,
    private readonly cameras: readonly string[],
    private readonly changed: () => void,
  ) {}

  at(camera: string, index: number): ImageBitmap | null {
    const key = frameUrl(this.episode, camera, index);
    const picture = this.kept.get(key) ?? null;
    if (picture) {
      // Used last, dropped last.
      this.kept.delete(key);
      this.kept.set(key, picture);
    }
    return picture;
  }

  /** A camera without a picture of that step does not hold the others up. */
  ready(index: number): boolean {
    return this.cameras.every((camera) => {
      const key = frameUrl(this.episode, camera, index);
      return this.kept.has(key) || this.missing.has(key);
    });
  }

  want(index: number, last: number): void {
    for (let step = index; step <= Math.min(last, index + AHEAD); step += 1) {
      for (const camera of this.cameras) {
        const url = frameUrl(this.episode, camera, step);
        const known = this.kept.has(url) || this.missing.has(url) || this.loading.has(url);
        if (!known && this.loading.size < AT_ONCE) void this.load(url);
      }
    }
  }

  close(): void {
    this.closed = true;
    for (const picture of this.kept.values()) picture.close();
    this.kept.clear();
  }

  private async load(url: string): Promise<void> {
    this.loading.add(url);
    const response = await fetch(url).catch(() => null);
    const picture = response?.ok ? await createImageBitmap(await response.blob()) : null;
    this.loading.delete(url);
    if (this.closed) {
      picture?.close();
      return;
    }
    if (picture) this.kept.set(url, picture);
    // No network is no answer: asked again when it is wanted again.
    else if (response) this.missing.add(url);
    for (const [key, old] of this.kept) {
      if (this.kept.size <= KEPT) break;
      old.close();
      this.kept.delete(key);
    }
    this.changed();
  }
}
