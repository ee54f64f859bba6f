/** The robot's clock as seen from here: the fastest message of the last seconds sets the offset. */

const WINDOW_MS = 10_000;

interface Sighting {
  readonly localMs: number;
  readonly offsetMs: number;
}

export class RobotClock {
  private sightings: Sighting[] = [];
  newestNs = 0;

  /** A robot time `robotNs` was read from a message that arrived at `localMs`. */
  observe(robotNs: number, localMs: number): void {
    const offsetMs = localMs - robotNs / 1e6;
    const last = this.sightings.at(-1);
    // A robot that started again has a new clock: what was seen before says nothing.
    if (last && Math.abs(last.offsetMs - offsetMs) > WINDOW_MS) {
      this.sightings = [];
      this.newestNs = 0;
    }
    this.newestNs = Math.max(this.newestNs, robotNs);
    this.sightings = this.sightings.filter(
      (seen) => seen.localMs > localMs - WINDOW_MS && seen.offsetMs < offsetMs,
    );
    this.sightings.push({ localMs, offsetMs });
  }

  /** Milliseconds from `captureNs` until `localMs`; short by the fastest one-way delay seen. */
  ageMs(captureNs: number, localMs: number): number {
    const fastest = this.sightings[0];
    if (!fastest) return 0;
    return Math.max(0, localMs - fastest.offsetMs - captureNs / 1e6);
  }
}
