"""Every figure on studies of all shapes, and what some of them show."""

import importlib

import numpy as np
import pytest

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.figures import FigureStyle
from dynamic_sparsity.study.catalogue import FIGURES
from dynamic_sparsity.study.figure_settings import FigureSettings, settings_of
from dynamic_sparsity.tables import page
from tests.helpers.studies import CASES, embedded, studied, table, touching
from tests.helpers.synthetic import rollout_store, sparsity_store


@pytest.fixture(scope="module")
def usual():
    return [sparsity_store(0, touching(3, 20)), sparsity_store(1, touching(3, 20), lengths=[20, 11, 20])]


@pytest.mark.parametrize("case", CASES)
def test_every_figure_and_table_can_be_made(case, tmp_path):
    seeds = CASES[case]()
    summed, survived, patterned = studied(seeds)
    stores = {"summary": [summed], "sparsity": seeds, "survival": [survived], "patterns": [patterned]}
    stores |= {"both": [summed, patterned], "embedding": embedded(seeds)}
    stores["all"] = [*stores["both"], rollout_store(0, *seeds[0].zero.shape[:2])]
    reads = {
        "agents": "both",
        "embedding": "embedding",
        "zero_fraction": "summary",
        "sparsity_histogram": "sparsity",
        "sparsity_over_time": "sparsity",
        "threshold_sweep": "summary",
        "duration_histogram": "survival",
        "survival": "survival",
        "pattern_timeline": "patterns",
    }
    recovery = {name for name in FIGURES if name.startswith("recovery")}
    elsewhere = {"method_ablation", "roughness", "loss_curves", *recovery}  # read other stores: drawn in tests of their own
    assert set(reads) | elsewhere == set(FIGURES)
    look = FigureStyle(dpi=40)
    style.configure(look)
    for name, source in reads.items():
        module = importlib.import_module(f"dynamic_sparsity.figures.{name}")
        figure = module.draw(stores[source], **settings_of(FigureSettings(), name))
        style.save(figure, tmp_path / f"{name}.png", tmp_path / f"{name}.svg", look)
        first = (tmp_path / f"{name}.svg").read_bytes()
        style.save(
            module.draw(stores[source], **settings_of(FigureSettings(), name)), tmp_path / "2.png", tmp_path / "2.svg", look
        )
        assert (tmp_path / "2.svg").read_bytes() == first, "the same data give the same file"
    for name, source in (
        ("global_zeros", "summary"),
        ("durations", "survival"),
        ("temporal", "patterns"),
        ("patterns", "patterns"),
        ("agents", "all"),
        ("claims", "all"),
        ("zero_fractions", "summary"),
    ):
        assert len(page.render(table(name, stores[source]), "Caption.")) > 200


def test_a_figure_without_frames_says_why(usual):
    from dynamic_sparsity.figures import embedding as drawn

    data, frames = embedded(usual)
    figure = drawn.draw([data, frames.isel(frame=slice(0))], point_size=4.0)
    assert "no frames" in figure.axes[0].get_xlabel() and len(figure.axes) == 2
    assert len(drawn.draw([data, frames], point_size=4.0).axes) == 4


def test_figure_3_shows_the_fractions_it_was_given(usual):
    summed = studied(usual)[0]
    from dynamic_sparsity.figures import zero_fraction

    axes = zero_fraction.draw([summed], annotate_up_to=16).axes[0]
    drawn = axes.images[0].get_array()
    np.testing.assert_allclose(drawn, 100 * summed.zero_fraction.sel(threshold=1e-12))
    assert [label.get_text() for label in axes.get_xticklabels()] == summed.in_dim.values.tolist()
    assert [label.get_text() for label in axes.get_yticklabels()] == summed.out_dim.values.tolist()
    assert (
        zero_fraction._digits(0.2) == "<1" and zero_fraction._digits(99.7) == ">99" and zero_fraction._digits(100.0) == "100"
    )


@pytest.mark.parametrize("width", [0.1, 1 / 3, 1 / 49, 1.0])
def test_figure_5_holds_every_step_once(usual, width):
    from dynamic_sparsity.figures import sparsity_histogram

    figure = sparsity_histogram.draw(usual, bin_width=width)
    for axes in figure.axes:
        assert sum(patch.get_height() for patch in axes.patches) == pytest.approx(100)


def test_figure_7_holds_every_run_once(usual):
    from dynamic_sparsity.figures import duration_histogram

    survived = studied(usual)[1]
    for bins in (1, 8, 30):
        drawn = duration_histogram.draw([survived], bins_per_decade=bins)
        for axes, value in zip(drawn.axes, ("zero", "non-zero"), strict=True):
            heights, edges, _ = axes.patches[0].get_data()
            assert (heights * np.diff(edges)).sum() == pytest.approx(int(survived.paper_count.sel(value=value).sum()))
            assert edges[0] == 0.5 and edges[-1] == survived.sizes["duration"] + 0.5
