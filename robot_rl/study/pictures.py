"""Learning curves as an SVG file that can be read on white and on black."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from robot_rl.study.comparison import ArmCells
from robot_rl.study.curves import Against, Quantity, curve, mean_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# Of middle lightness (contrast of at least 3 to white and to GitHub's black), and told apart with
# any colour vision by their markers too.
_COLOURS = ("#2f81f7", "#e8590c", "#2b9a66", "#b35bd6", "#c08b00", "#d6336c", "#0c98a6", "#7d8590")
_MARKERS = "osD^vPX*"
_INK = "#7d8590"
_SIZE_IN = (9.0, 8.4)
_STYLE: Any = {  # by the names of matplotlib's settings
    "font.size": 9.5,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": _INK,
    "grid.alpha": 0.25,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "svg.hashsalt": "robot-rl",  # equal figures give equal files
}


def curves_svg(arms: Mapping[str, ArmCells]) -> bytes:
    """Success, human share and cycle time against robot-minutes and human-seconds: the mean of an
    arm's seeds, and each seed thinly behind it.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_IN, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(len(Quantity), len(Against), sharex="col", sharey="row")
        for row, quantity in zip(axes, Quantity, strict=True):
            for place, against in zip(row, Against, strict=True):
                for number, cells in enumerate(arms.values()):
                    _draw_arm(place, cells, number, quantity, against)
                place.grid(visible=True)
                place.set_xlim(left=0.0)
            row[0].set_ylabel(quantity.value)
            row[0].set_ylim(bottom=0.0)
            if quantity is Quantity.SUCCESS:
                row[0].set_ylim(-0.02, 1.02)
        for place, against in zip(axes[-1], Against, strict=True):
            place.set_xlabel(against.value)
            place.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        lines = [_legend_line(number) for number in range(len(arms))]
        figure.legend(lines, list(arms), loc="outside upper center", ncols=6, frameon=False)
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", transparent=True, metadata={"Date": None})
        return picture.getvalue()


def _draw_arm(
    place: "Axes", cells: ArmCells, number: int, quantity: Quantity, against: Against
) -> None:
    curves = [curve(report, quantity, against) for report in cells.values()]
    colour = _COLOURS[number % len(_COLOURS)]
    measured = quantity is not Quantity.HUMAN_SHARE
    for each in curves:
        place.plot(
            each.x,
            each.y,
            color=colour,
            alpha=0.45,
            linewidth=0.9,
            marker=_MARKERS[number % len(_MARKERS)] if measured else "",
            markersize=3.5,
        )
    mean = mean_curve(curves)
    place.plot(mean.x, mean.y, color=colour, linewidth=2.2)


def _legend_line(number: int) -> "Line2D":
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        color=_COLOURS[number % len(_COLOURS)],
        marker=_MARKERS[number % len(_MARKERS)],
        linewidth=2.2,
    )
