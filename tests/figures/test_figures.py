"""Every figure of one task and policy on studies of every shape, and what some figures show."""

import importlib

import numpy as np
import pytest
from matplotlib.patches import Rectangle, StepPatch

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.figures import FigureStyle
from dynamic_sparsity.study.catalogue import FIGURES
from dynamic_sparsity.study.figure_settings import FigureSettings, settings_of
from tests.helpers.studies import CASES, made_up, study

READS = {name: made_up(figure.reads) for name, figure in FIGURES.items() if made_up(figure.reads)}
"""The stores of a made-up study that a figure reads. Figures of ablations and recovery have tests of their own."""


def test_figures_of_made_up_studies_are_all_but_those_of_ablations_and_recovery():
    assert {figure.reads[0] for name, figure in FIGURES.items() if name not in READS} == {
        *("ablation", "interventions", "recovery")
    }


LOOK = FigureStyle(dpi=40)


def save(name, case, directory, number=1):
    """Draw and save a figure of a made-up study; PNG and SVG."""
    style.configure(LOOK)
    module = importlib.import_module(f"dynamic_sparsity.figures.{name}")
    figure = module.draw(study(case)[READS[name]], **settings_of(FigureSettings(), name))
    png, svg = (directory / f"{number}.{ending}" for ending in ("png", "svg"))
    style.save(figure, png, svg, LOOK)
    return png.read_bytes(), svg.read_bytes()


@pytest.mark.parametrize("name", READS)
def test_the_same_data_give_the_same_files(name, tmp_path):
    assert save(name, "usual", tmp_path, 1) == save(name, "usual", tmp_path, 2)


@pytest.mark.parametrize("case", [case for case in CASES if case != "usual"])
@pytest.mark.parametrize("name", READS)
def test_every_figure_can_be_drawn_of_every_study(case, name, tmp_path):
    assert all(save(name, case, tmp_path))


def test_a_figure_without_frames_says_why():
    from dynamic_sparsity.figures import embedding as drawn

    points, frames = study("usual")["embedding"]
    figure = drawn.draw([points, frames.isel(frame=slice(0))], point_size=4.0)
    assert "no frames" in figure.axes[0].get_xlabel() and len(figure.axes) == 2
    assert len(drawn.draw([points, frames], point_size=4.0).axes) == 4


def test_figure_3_shows_the_zero_fractions():
    [summary] = study("usual")["summary"]
    from dynamic_sparsity.figures import zero_fraction

    axes = zero_fraction.draw([summary], annotate_up_to=16).axes[0]
    drawn = axes.images[0].get_array()
    assert drawn is not None
    np.testing.assert_allclose(drawn, 100 * summary.zero_fraction.sel(threshold=1e-12))
    assert [label.get_text() for label in axes.get_xticklabels()] == summary.in_dim.values.tolist()
    assert [label.get_text() for label in axes.get_yticklabels()] == summary.out_dim.values.tolist()
    assert (
        zero_fraction._digits(0.2) == "<1" and zero_fraction._digits(99.7) == ">99" and zero_fraction._digits(100.0) == "100"
    )


@pytest.mark.parametrize("width", [0.1, 1 / 3, 1 / 49, 1.0])
def test_figure_5_holds_every_step_once(width):
    from dynamic_sparsity.figures import sparsity_histogram

    figure = sparsity_histogram.draw(study("usual")["sparsity"], bin_width=width)
    for axes in figure.axes:
        bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        assert sum(bar.get_height() for bar in bars) == pytest.approx(100)


def test_figure_7_holds_every_run_once():
    from dynamic_sparsity.figures import duration_histogram

    [survival] = study("usual")["survival"]
    for bins in (1, 8, 30):
        drawn = duration_histogram.draw([survival], bins_per_decade=bins)
        for axes, value in zip(drawn.axes, ("zero", "non-zero"), strict=True):
            stairs = axes.patches[0]
            assert isinstance(stairs, StepPatch)
            heights, edges, _ = stairs.get_data()
            assert (heights * np.diff(edges)).sum() == pytest.approx(int(survival.paper_count.sel(value=value).sum()))
            assert edges[0] == 0.5 and edges[-1] == survival.sizes["duration"] + 0.5
