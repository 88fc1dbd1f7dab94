"""The style of all figures: colours that colour-blind readers can tell apart, fonts, axes, and saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axis import Axis, XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from dynamic_sparsity.files.whole import whole
from dynamic_sparsity.settings.figures import FigureStyle

# Okabe and Ito (2008), "Color universal design".
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
BLOCK_COLOURS = {"J_s": BLUE, "J_a": VERMILION, "[J_s J_a]": GREY}
BLOCK_LINES = {"J_s": "-", "J_a": "--", "[J_s J_a]": ":"}
BLOCK_NAMES = {"J_s": "$J_s$", "J_a": "$J_a$", "[J_s J_a]": "$[J_s\\ J_a]$"}
VALUE_COLOURS = {"zero": BLUE, "non-zero": VERMILION}
_POLICY_COLOURS = {"expert": BLUE, "noise": ORANGE, "zero": GREY}
POLICY_MARKERS = {"expert": "o", "noise": "s", "zero": "D"}
SEQUENTIAL = "cividis"


def of_policy(name: str) -> str:
    """The colour of a policy in every figure; green for policies without a colour of their own."""
    return _POLICY_COLOURS.get(name, GREEN)


def of_model(number: int) -> str:
    """The colour of a model, by its number. After twenty different colours the first is used again."""
    return matplotlib.colors.to_hex(matplotlib.colormaps["tab20"]((2 * number + number % 20 // 10) % 20))


def plain_log_ticks(axis: Axis) -> None:
    """Set ticks at 1, 2 and 5 times the powers of ten, as plain numbers: readable also within one decade."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def log_scale(axis: XAxis | YAxis, base: int = 10) -> None:
    """Set a logarithmic scale, with default limits if nothing positive is drawn: matplotlib could not find any."""
    axes, name = axis.axes, axis.axis_name
    if not np.isfinite(getattr(axes.dataLim, f"minpos{name}")):
        axes.set(**{f"{name}lim": (0.1, 1)})
    getattr(axes, f"set_{name}scale")("log", base=base)


def configure(style: FigureStyle) -> None:
    """Set the fonts, and options that make files identical in every run. Call this before drawing."""
    matplotlib.rcParams.update(
        {
            "font.size": style.font_size,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
            "figure.constrained_layout.use": True,
            "svg.hashsalt": "dynamic-sparsity",  # otherwise identifiers in the SVG are random
            "svg.fonttype": "path",
        }
    )


def save(figure: Figure, png: Path, svg: Path, style: FigureStyle) -> None:
    """Write `figure` as PNG and SVG, without a date, so that equal figures give identical files."""
    with whole(png, svg) as (first, second):
        figure.savefig(first, format="png", dpi=style.dpi, metadata={"Software": None})
        figure.set_layout_engine("none")  # keep the layout of the PNG: computing it takes as long as drawing
        figure.savefig(second, format="svg", metadata={"Date": None})


def title(figure: Figure, text: str, attrs: dict[str, Any]) -> None:
    """Set a title above the whole figure: task and policy, then `text`."""
    figure.suptitle(f"{attrs['task']}, policy {attrs['policy']}\n{text}", x=0.01, ha="left")


def window(first: int, steps: int, length: int) -> slice:
    """The steps to draw: `steps` steps from `first` on, as far as an episode of `length` steps has them."""
    first = min(first, length - 1)
    return slice(first, min(length, first + steps))
