"""Section `figures` of config.yaml, built from the catalogue: a subsection for each figure that has settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.figures import FigureStyle
from dynamic_sparsity.study.captions import title
from dynamic_sparsity.study.catalogue import FIGURES


class _Style(Section):
    style: FigureStyle = Field(default_factory=FigureStyle, description="Style of all figures.")


def _subsection(name: str) -> tuple[type[Section], Any]:
    """Type and default of one figure's settings. A changed value reruns only the job that draws this figure."""
    model_name = f"{name.title().replace('_', '')}Figure"
    model = create_model(model_name, __base__=Section, __doc__=title(name), **FIGURES[name].settings)  # ty: ignore[no-matching-overload]
    return model, Field(default_factory=model, description=title(name))


if TYPE_CHECKING:
    FigureSettings = _Style
else:
    FigureSettings = create_model(
        "FigureSettings",
        __base__=_Style,
        __doc__="Appearance of figures.",
        **{name: _subsection(name) for name, figure in FIGURES.items() if figure.settings},
    )


def settings_of(figures: Section, name: str) -> dict[str, Any]:
    """The settings of one figure as the keyword arguments of its `draw`; empty for a figure without settings."""
    return getattr(figures, name).model_dump() if FIGURES[name].settings else {}
