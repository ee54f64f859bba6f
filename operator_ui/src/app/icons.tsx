/** The console's few drawings; each stands beside a word and never alone. */
import type { ReactNode } from "react";

function drawing(children: ReactNode) {
  return function Drawing({ size = 20 }: { size?: number }) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        strokeWidth="2.2"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        style={{ flex: "none" }}
      >
        {children}
      </svg>
    );
  };
}

export const StopSign = drawing(
  <>
    <path d="M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8z" />
    <path d="M8 12h8" />
  </>,
);
export const Gear = drawing(
  <>
    <circle cx="12" cy="12" r="3.2" />
    <path d="M12 2.8v3M12 18.2v3M2.8 12h3M18.2 12h3M5.5 5.5l2.1 2.1M16.4 16.4l2.1 2.1M18.5 5.5l-2.1 2.1M7.6 16.4l-2.1 2.1" />
  </>,
);
export const Hand = drawing(
  <path d="M8 12V5.5a1.5 1.5 0 0 1 3 0V11m0-6.5a1.5 1.5 0 0 1 3 0V11m0-4.5a1.5 1.5 0 0 1 3 0V14c0 4-2.5 7-6 7-3 0-4.4-1.6-5.8-4.4L3.5 13a1.5 1.5 0 0 1 2.6-1.4L8 14" />,
);
export const Person = drawing(
  <>
    <circle cx="12" cy="8" r="4" />
    <path d="M4 21c0-4.4 3.6-7 8-7s8 2.6 8 7" />
  </>,
);
export const Bars = drawing(<path d="M9 5v14M15 5v14" />);
export const Play = drawing(<path d="M7 4.5v15l12-7.5z" />);
export const Rewind = drawing(<path d="M11.5 5v14L3 12zM20.5 5v14L12 12z" />);
export const Home = drawing(<path d="M4 11.5 12 4l8 7.5M6.5 9.8V20h11V9.8" />);
export const Moon = drawing(<path d="M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z" />);
export const Sun = drawing(
  <>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4" />
  </>,
);
export const Warning = drawing(<path d="M12 3.5 22 20.5H2zM12 10v5M12 17.6v.2" />);
export const Check = drawing(
  <>
    <circle cx="12" cy="12" r="9.3" />
    <path d="m7.8 12.4 2.9 2.9 5.6-6" />
  </>,
);
export const Cross = drawing(
  <>
    <rect x="3" y="3" width="18" height="18" rx="1.5" />
    <path d="m8.5 8.5 7 7m0-7-7 7" />
  </>,
);
export const Dash = drawing(
  <>
    <path d="M12 2.5 21.5 12 12 21.5 2.5 12z" />
    <path d="M8.5 12h7" />
  </>,
);
export const Circle = drawing(<circle cx="12" cy="12" r="8.5" strokeDasharray="3 3.5" />);
export const Keys = drawing(
  <>
    <rect x="2.5" y="6" width="19" height="12" rx="2" />
    <path d="M6.5 10h.1M10 10h.1M14 10h.1M17.5 10h.1M8 14h8" />
  </>,
);
