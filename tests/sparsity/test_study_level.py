"""Summaries over seeds, tables and figures, on a system whose zeros are known."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.embedding import EmbeddingSettings
from dynamic_sparsity.settings.figures import FigureStyle
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.temporal import TemporalSettings
from dynamic_sparsity.sparsity import durations, embedding, summary, survival, temporal
from dynamic_sparsity.study.catalogue import FIGURES
from dynamic_sparsity.study.figure_settings import FigureSettings, settings_of
from dynamic_sparsity.tables import page
from tests.helpers.synthetic import ATTRS, THRESHOLDS, rollout_store, sparsity_store

RESAMPLING = ResamplingSettings(resamples=30)
TEMPORAL = TemporalSettings(max_lag=6, max_patterns=5, shifts=50)
REPORTED = Path(__file__).resolve().parents[2] / "resources/paper"
PAPER = {path.stem: pd.read_csv(path) for path in REPORTED.glob("*.csv")}


def touching(episodes, steps, every=4):
    return np.broadcast_to(np.arange(steps) % every == every - 1, (episodes, steps))


def identified(dataset, kind, **attrs):
    return dataset.assign_attrs({**dataset.attrs, **ATTRS, "seeds": [0, 1], "kind": kind, **attrs})


def studied(seeds, **attrs):
    """Summary, survival and pattern stores of a list of sparsity stores."""
    return (
        identified(summary.summarise(seeds, 1e-12, RESAMPLING), "summary", **attrs),
        identified(survival.summarise([durations.counts_of(seed) for seed in seeds], 30, 0.95, 0), "survival", **attrs),
        identified(temporal.summarise(seeds, TEMPORAL, RESAMPLING), "patterns", **attrs),
    )


def embedded(sparsities):
    """Embedding and frame stores, of made-up rollouts and two grey frames at the ends of the sequence."""
    rollouts = [rollout_store(data.attrs["seed"], *data.zero.shape[:2]) for data in sparsities]
    data = embedding.embed(rollouts, sparsities, EmbeddingSettings(max_points=50, sequence_steps=5))
    steps = data.step.values[data.sequence.values >= 0]
    frames = xr.Dataset(
        {
            "image": (("frame", "row", "column", "rgb"), np.full((2, 8, 8, 3), 127, np.uint8)),
            "step": ("frame", steps[[0, -1]]),
        }
    )
    return [identified(data, "embedding"), identified(frames, "frames")]


@pytest.fixture(scope="module")
def usual():
    return [sparsity_store(0, touching(3, 20)), sparsity_store(1, touching(3, 20), lengths=[20, 11, 20])]


def test_summary_says_what_is_zero_and_what_breaks_it(usual):
    result = summary.summarise(usual, 1e-12, RESAMPLING)
    steps = 5 * 20 + 11
    loaded = 5 * 5 + 2  # every fourth step; two of the eleven
    assert result.steps == steps and result.free_steps == steps - loaded
    assert result.global_zeros.sel(threshold=1e-12).values.tolist() == [0, 0, 0]
    assert result.free_global_zeros.sel(block="J_s") == 3 and result.broken_entry.sum() == 3
    assert result.broken_steps == loaded
    assert result.broken_loaded.sel(constraint="joint_limit:a") == loaded
    assert result.broken_loaded.sel(constraint="contact:floor/foot") == 0
    expected = (steps - loaded) / steps
    np.testing.assert_allclose(result.zero_fraction.sel(threshold=1e-12, out_dim="qvel:b", in_dim="qpos:a"), expected)
    assert result.zero_fraction.sel(threshold=1e-12, in_dim="ctrl:v").max() == 0
    assert result.mean_sparsity.sel(threshold=1e-12, block="J_a") == 0
    full, short = 15 / 20 * 3 / 16, 9 / 11 * 3 / 16
    np.testing.assert_allclose(result.mean_sparsity.sel(threshold=1e-12, block="J_s"), (5 * full + short) / 6)
    assert (result.nonfinite_fraction == 0).all(), "padding is not a sample"


def test_patterns_switches_and_events_over_seeds(usual):
    result = temporal.summarise(usual, TEMPORAL, RESAMPLING)
    assert result.sizes["pattern"] == 2 and result.pattern_count.values.tolist() == [84, 27]
    assert result.pattern_zero.sum(("out_dim", "in_dim")).values.tolist() == [3, 0]
    assert result.pattern_id.isel(seed=1, episode=1).values[11:].tolist() == [-1] * 9
    assert list(zip(result.follow_from.values, result.follow_to.values, strict=True)) == [(0, 1), (1, 0)]
    assert result.follow_count.values.tolist() == [27, 22]
    of = result.sel(event_kind="joint_limit")
    assert of.coincidence_observed == 1 and of.coincidence_expected < 0.6 and of.coincidence_p_value < 0.05
    assert result.sel(event_kind="contact").coincidence_observed == 0
    assert int(result.switch.sum()) == 49
    rates = [9 / 19] * 5 + [4 / 10]
    np.testing.assert_allclose(result.switch_rate_mean, np.mean(rates))


def test_durations_of_the_same_system(usual):
    result = survival.summarise([durations.counts_of(seed) for seed in usual], 30, 0.95, 0)
    zero, nonzero = result.sel(value="zero"), result.sel(value="non-zero")
    assert zero["median"] == 3 and nonzero["median"] == 1
    # 22 runs of 3 zeros for each of 3 entries, one of them cut by the end of the short episode
    np.testing.assert_allclose(zero.survival.values[:4], [1, 1, 1 / 22, np.nan])
    assert zero.ended_runs == 3 * 21 and zero.cut_runs == 3


def table(name, stores):
    return importlib.import_module(f"dynamic_sparsity.tables.{name}").build(stores, PAPER)


def test_the_table_of_global_zeros_judges_and_explains(usual):
    agrees = table("global_zeros", [studied(usual)[0]]).iloc[0]
    assert agrees.verdict == "agrees" and agrees.paper_zeros_J_s == 0 and agrees.zeros_J_s_when_free == 3
    assert "joint_limit:a bears a force in 27 of them" in agrees.explanation
    never = [sparsity_store(0, np.zeros((3, 20), bool))]
    differs = table("global_zeros", [studied(never)[0]]).iloc[0]
    assert differs.verdict == "differs: 3 more in J_s" and differs.zeros_J_s == 3
    assert "3 in column qpos:a" in differs.explanation
    assert "Never active in these data, perhaps in the paper's: contact:floor/foot, joint_limit:a" in differs.explanation
    everywhere = [sparsity_store(0, np.ones((3, 20), bool))]
    cheetah = studied(everywhere)[0].assign_attrs({**ATTRS, "task": "CheetahRun"})
    fewer = table("global_zeros", [cheetah]).iloc[0]
    assert fewer.verdict == "differs: 17 fewer in J_s" and "No step of these data is free" in fewer.explanation
    unknown = studied(never)[0].assign_attrs({**ATTRS, "task": "FishSwim"})
    assert table("global_zeros", [unknown]).iloc[0].verdict == "not in the paper"


def test_the_other_tables(usual):
    summed, survived, patterned = studied(usual)
    means = table("mean_sparsity", [summed])
    assert len(means) == 3 * len(THRESHOLDS) and (means.main_threshold == "yes").sum() == 3
    assert (means.low <= means.mean_sparsity).all() and (means.mean_sparsity <= means.high).all()
    runs = table("durations", [survived]).set_index("value")
    assert runs.loc["zero", "median"] == 3 and np.isnan(runs.loc["zero", "share_beyond_10"])
    rates = table("temporal", [patterned]).iloc[0]
    assert rates.distinct_patterns == 2 and rates.observed_loaded == 1 and rates.switches == 49
    listed = table("patterns", [patterned])
    assert listed.followers.tolist() == ["1 (27)", "0 (22)"] and listed.share.sum() == pytest.approx(1)


def agents(**sparsities):
    """The table of agents of policies with these sparsity stores; every episode starts elsewhere."""
    stores = []
    for policy, of_seeds in sparsities.items():
        summed, _, patterned = studied(of_seeds, policy=policy)
        stores += [summed, patterned, rollout_store(0, 3, 20, policy=policy), rollout_store(1, 2, 20, policy=policy)]
    return table("agents", stores).set_index("policy")


def test_the_table_of_agents_compares_policies_of_a_task(usual):
    quiet = [sparsity_store(0, np.zeros((3, 20), bool)), sparsity_store(1, np.zeros((3, 20), bool))]
    found = agents(noise=usual, zero=quiet)
    assert found.joint_limit["noise"] == pytest.approx((5 * 5 / 20 + 2 / 11) / 6) and found.joint_limit["zero"] == 0
    assert found.switch_rate["zero"] == 0 < found.switch_rate_low["noise"]
    assert found.sparsity["zero"] == pytest.approx(3 / 24) and (found.contact == 0).all()
    assert found.differs_from.to_dict() == {"noise": "zero", "zero": "noise"}
    assert agents(noise=usual, zero=usual).differs_from.tolist() == ["", ""]
    unknown = agents(noise=[sparsity_store(0, touching(1, 20))], zero=usual)
    assert unknown.differs_from.tolist() == ["unknown", "unknown"], "one episode has no interval"


def test_episodes_that_are_the_same_one_are_counted_once(usual):
    assert (agents(noise=usual).distinct_episodes == 5).all()
    summed, _, patterned = studied(usual, policy="zero")
    repeated = rollout_store(0, 3, 20, policy="zero").isel(episode=[0, 0, 2])
    assert table("agents", [summed, patterned, repeated]).distinct_episodes.tolist() == [2]


def test_figure_3_of_the_paper_beside_ours(usual):
    assert table("zero_fractions", [studied(usual)[0]]).empty
    never = studied([sparsity_store(0, np.zeros((3, 20), bool))], task="ReacherHard")[0]
    assert (table("zero_fractions", [never]).difference == 0).all(), "column 0 is zero but for itself, as in the paper"
    found = table("zero_fractions", [studied(usual, task="ReacherHard")[0]]).set_index(["next_variable", "variable"])
    expected = 100 * (1 - 27 / 111)
    assert found.percent_zero["qvel:b", "qpos:a"] == pytest.approx(expected)
    assert found.difference["qvel:b", "qpos:a"] == pytest.approx(expected - 100)
    assert len(found) == 16 and (found.difference.abs() > 0).sum() == 3


def claims(touching_steps, task, kinds=("contact", "joint_limit")):
    store = sparsity_store(0, touching_steps).assign_coords(constraint_kind=("constraint", list(kinds)))
    summed, _, patterned = studied([store], task=task)
    found = table("claims", [summed, patterned])
    return {place: rows.verdict.tolist() for place, rows in found.groupby("place")}


@pytest.mark.parametrize(
    ("observed", "p", "verdict"),
    [
        (0.9, 0.01, "agrees"),
        (0.2, 0.01, "partly: fewer than half of the switches"),
        (0.9, 0.2, "differs: no more than by chance"),
    ],
)
def test_figure_6_agrees_where_most_switches_follow_its_events(usual, observed, p, verdict):
    summed, _, patterned = studied(usual, task="BallInCup")
    for name, value in (("observed", observed), ("expected", 0.1), ("p_value", p)):
        patterned[f"coincidence_{name}"] = xr.full_like(patterned[f"coincidence_{name}"], value)
    found = table("claims", [summed, patterned]).set_index("place").loc["Figure 6"]
    assert found.verdict == verdict and bool(found.why) == (verdict != "agrees")


def test_claims_are_judged_by_what_was_measured():
    still, busy = np.zeros((3, 20), bool), touching(3, 20)
    reacher = claims(still, "ReacherHard")
    assert reacher["Figure 3"] == ["agrees"] and reacher["Figure 7"] == ["agrees"] and reacher["Table 1"] == ["agrees"]
    broken = claims(busy, "ReacherHard")
    assert broken["Figure 3"] == ["differs: 3 of 16 entries by more than 5 points"]
    assert broken["Figure 7"] == ["differs"] and broken["Table 1"] == ["differs: 3 fewer in J_s"]
    assert claims(busy, "CartpoleBalance")["Figure 7"] == ["agrees"]
    assert claims(still, "CartpoleBalance")["Figure 7"] == ["differs"]
    assert claims(busy, "CheetahRun")["Figure 6"] == ["not tested: no switch, or no such event"], "a limit, not contacts"
    assert claims(busy, "BallInCup", kinds=["contact", "tendon_limit"])["Figure 6"] == ["agrees"]
    assert claims(still, "BallInCup")["Figure 6"] == ["not tested: no switch, or no such event"]
    assert claims(still, "FingerSpin")["Figure 4"] == ["not tested: the data have no such steps of both kinds"]
    assert claims(busy, "FingerSpin")["Figure 4"] == ["not tested: the data have no such steps of both kinds"], "a limit"
    assert claims(busy, "FingerSpin", kinds=["joint_limit", "contact"])["Figure 4"] == ["differs"]
    assert set(claims(busy, "FishSwim")) == set(), "the paper says nothing about it"
    assert claims(busy[:, :1], "CartpoleBalance")["Figure 7"] == ["not tested: no two consecutive steps have patterns"]
    assert all(said.startswith("no verdict") for said in claims(busy, "WalkerRun")["Figure 5"])


def trained(stochastic, task="CheetahRun", zero=0.0, noise=1.0):
    """The provenance of an expert."""
    values = {"stochastic": stochastic, "deterministic": 9.0, "coloured": 8.0, "zero": zero, "noise": noise}
    returns = {name: {"mean": value, "std": 1.0, "each": [value + 300, value - 300]} for name, value in values.items()}
    return {"task": task, "seed": 1, "steps": 7, "hardware": "a", "returns": {**returns, "episodes": 32, "steps": 1000}}


def returned(stochastic, task="CheetahRun", **baselines):
    expert = trained(stochastic, task, **baselines)
    return table("returns", [rollout_store(0, 3, 20, task=task, policy="expert", expert=expert)]).iloc[0]


def test_tables_of_agents_and_claims_say_whether_the_expert_is_one(usual):
    summed, _, patterned = studied(usual, task="CheetahRun", policy="expert")
    acted = [
        rollout_store(seed, 3, 20, task="CheetahRun", policy="expert", expert=trained(value))
        for seed, value in enumerate((810.0, 340.0, 820.0))
    ]
    for name in ("agents", "claims"):
        assert set(table(name, [summed, patterned, *acted]).agent) == {"solved; not an expert: 40% of Playground's"}
        assert set(table(name, [summed, patterned, rollout_store(0, 3, 20, task="CheetahRun", policy="expert")]).agent) == {
            ""
        }


def test_an_expert_that_is_not_one_is_called_so():
    assert returned(810.0).verdict == "solved"
    assert returned(700.0).verdict == "as Playground's"
    assert returned(340.0).verdict == "not an expert: 40% of Playground's"
    assert (
        returned(340.0, noise=400.0).verdict
        == "not an expert: 40% of Playground's, and no better than zero actions or noise"
    )
    assert returned(810.0, zero=800.0).verdict == "solved", "better in each episode, however much they differ"
    assert returned(500.0, task="BallInCup").verdict == "not an expert: 50% of the highest possible return"
    assert returned(3.0, task="HopperHop").verdict.startswith("not an expert: 0% of the highest"), (
        "Playground's is none either"
    )
    assert returned(500.0, task="FishSwim").verdict == "not an expert: 50% of the highest possible return"
    assert returned(700.0).rollouts == 10 and returned(700.0).expert_seed == 1
    uncertain = trained(900.0, zero=800.0)
    uncertain["returns"]["zero"]["each"] = [1100.0, 500.0]
    uncertain["returns"]["stochastic"]["each"] = [900.0, 900.0]
    row = table("returns", [rollout_store(0, 3, 20, task="CheetahRun", policy="expert", expert=uncertain)]).iloc[0]
    assert row.verdict == "not an expert: 106% of Playground's, and no better than zero actions or noise"
    noise = table("returns", [rollout_store(4, 2, 20, task="CheetahRun", policy="noise")]).iloc[0]
    assert noise.seed == 4 and noise.playground == 850 and "verdict" not in noise


def test_the_embedding_holds_every_nth_step_and_the_sequence_that_varies_most():
    late = np.zeros((2, 30), bool)
    late[0, 20::2] = True
    sparsities = [sparsity_store(0, late), sparsity_store(1, late, lengths=[30, 11])]
    rollouts = [rollout_store(seed, 2, 30) for seed in (0, 1)]
    rollouts[1].length[1] = 11
    result = embedding.embed(rollouts, sparsities, EmbeddingSettings(max_points=45, sequence_steps=6))
    assert result.attrs["every_nth_step"] == 3  # 101 steps, 39 places
    assert result.sizes["point"] <= 45
    sequence = result.isel(point=result.sequence.values >= 0)
    assert sequence.step.min() >= 18 and sequence.sequence.values.tolist() == list(range(6))
    assert (sequence.seed == 0).all() and (sequence.episode == 0).all()
    others = result.isel(point=result.sequence.values < 0)
    end_to_end = others.step + 60 * others.seed + 30 * others.episode
    assert set(end_to_end.values % 3) == {0} and len(others.point) >= 32 and result.step.max() < 30
    few = embedding.embed(rollouts, sparsities, EmbeddingSettings(max_points=13, sequence_steps=6))
    others = few.isel(point=few.sequence.values < 0)
    places = others.step + 60 * others.seed + 30 * others.episode
    assert places.values.tolist() == [0, 15, 30, 45, 60, 75, 90], "101 steps, 7 places: however few there are"
    for n in range(result.sizes["point"]):
        seed, episode, step = (int(result[name][n]) for name in ("seed", "episode", "step"))
        expected = sparsities[seed].sparsity.sel(block="[J_s J_a]", threshold=1e-12)[episode, step]
        assert result.sparsity[n] == expected
    assert result.attrs["perplexity"] == (result.sizes["point"] - 1) / 3, "50 is too many for so few points"
    again = embedding.embed(rollouts, sparsities, EmbeddingSettings(max_points=45, sequence_steps=6))
    np.testing.assert_array_equal(again.x, result.x)


def test_steps_without_a_sparsity_do_not_attract_the_sequence():
    series = np.full((1, 40, 1, 1), 0.5)
    series[0, 30:34] = 0.75
    series[0, 10] = np.nan
    data = xr.Dataset(
        {"sparsity": (("episode", "time", "block", "threshold"), series), "length": ("episode", [40])},
        {"block": ["[J_s J_a]"], "threshold": [1e-12]},
        {"threshold": 1e-12},
    )
    first, length = embedding._sequence(data, 8)
    assert length == 8 and 24 <= first <= 32, first
    assert embedding._sequence(data.assign(sparsity=data.sparsity * np.nan), 8) == (0, 8)


def test_a_figure_without_frames_says_why(usual):
    from dynamic_sparsity.figures import embedding as drawn

    data, frames = embedded(usual)
    figure = drawn.draw([data, frames.isel(frame=slice(0))], point_size=4.0)
    assert "no frames" in figure.axes[0].get_xlabel() and len(figure.axes) == 2
    assert len(drawn.draw([data, frames], point_size=4.0).axes) == 4


def test_pages_escape_and_mark_what_is_missing():
    frame = pd.DataFrame({"a_b": ["<x>"], "n": [float("nan")], "m": [0.123456]})
    text = page.render(frame, "First.\n\nSecond & last.")
    assert "&lt;x&gt;" in text and "<td>–</td>" in text and "0.1235" in text and "Second &amp; last." in text


def nonfinite_everywhere():
    store = sparsity_store(0, touching(1, 6))
    none = store.zero & False
    counts = {name: store[name] * 0 for name in ("zero_count", "finite_count", "free_zero_count", "free_finite_count")}
    return store.assign(zero=none, finite=none, sparsity=store.sparsity * np.nan, **counts)


CASES = {
    "usual": lambda: [sparsity_store(0, touching(3, 20)), sparsity_store(1, touching(3, 20), lengths=[20, 11, 20])],
    "one seed, one episode, two steps": lambda: [sparsity_store(0, touching(1, 2, every=2))],
    "nothing ever switches": lambda: [sparsity_store(0, np.zeros((2, 9), bool))],
    "nothing is finite": lambda: [nonfinite_everywhere()],
    "no constraints": lambda: [sparsity_store(0, touching(2, 9)).isel(constraint=slice(0, 0))],
}


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


def test_datasets_of_the_study_are_labelled(usual):
    for dataset in studied(usual):
        assert isinstance(dataset, xr.Dataset) and not any(str(dim).startswith("dim_") for dim in dataset.dims)
