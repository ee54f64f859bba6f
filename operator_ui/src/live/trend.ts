/** The last seconds of a value, and how they are drawn. */

export interface Sample {
  readonly t_ns: number;
  readonly value: number;
}

export const TREND_S = 30;

/** With a newer sample, without what is older than TREND_S; a clock that went back begins anew. */
export function withSample(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const last = samples.at(-1);
  if (last && next.t_ns === last.t_ns) return samples;
  if (last && next.t_ns < last.t_ns) return [next];
  const oldest = next.t_ns - TREND_S * 1e9;
  return [...samples.filter((sample) => sample.t_ns >= oldest), next];
}

/** Points of a polyline in a box of width and height 1: now is at the right, value 1 at the top. */
export function trendPoints(samples: readonly Sample[]): string {
  const now = samples.at(-1)?.t_ns ?? 0;
  return samples
    .map(({ t_ns, value }) => {
      const x = 1 - (now - t_ns) / (TREND_S * 1e9);
      return `${x.toFixed(4)},${(1 - Math.min(1, Math.max(0, value))).toFixed(3)}`;
    })
    .join(" ");
}
