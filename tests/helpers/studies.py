"""Made-up studies: the stores of every stage for a system whose zeros are known, and tables built from them."""

import functools
import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.settings.embedding import EmbeddingSettings
from dynamic_sparsity.settings.horizons import HorizonSettings
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.temporal import TemporalSettings
from dynamic_sparsity.sparsity import durations, embedding, horizons, summary, survival, temporal
from dynamic_sparsity.sparsity.clustering import summary as clustering
from tests.helpers.synthetic import ATTRS, jacobian_store, rollout_store, sparsity_store

RESAMPLING = ResamplingSettings(resamples=30)
HORIZONS = HorizonSettings(steps=[1, 2, 5], starts=4)
TEMPORAL = TemporalSettings(max_lag=6, max_patterns=5, shifts=50)
REPORTED = Path(__file__).resolve().parents[2] / "resources/paper"
PAPER = {path.stem: pd.read_csv(path) for path in REPORTED.glob("*.csv")}


def touching(episodes, steps, period=4):
    """When the limit is loaded, [episode, time]: at every `period`-th step."""
    return np.broadcast_to(np.arange(steps) % period == period - 1, (episodes, steps))


def usual_seeds():
    """Sparsity stores of two study seeds, of which the second has a short episode."""
    return [sparsity_store(0, touching(3, 20)), sparsity_store(1, touching(3, 20), lengths=[20, 11, 20])]


def nonfinite_everywhere():
    """A sparsity store of one short episode without a finite entry."""
    store = sparsity_store(0, touching(1, 6))
    none = store.zero & False
    counts = {name: store[name] * 0 for name in ("zero_count", "finite_count", "free_zero_count", "free_finite_count")}
    return store.assign(zero=none, finite=none, sparsity=store.sparsity * np.nan, **counts)


CASES = {
    "usual": usual_seeds,
    "one seed, one episode, two steps": lambda: [sparsity_store(0, touching(1, 2, period=2))],
    "nothing ever switches": lambda: [sparsity_store(0, np.zeros((2, 9), bool))],
    "nothing is finite": lambda: [nonfinite_everywhere()],
    "no constraints": lambda: [sparsity_store(0, touching(2, 9)).isel(constraint=slice(0, 0))],
}
"""Sparsity stores of whole studies of every shape, one per study seed."""


def identified(dataset, kind, **attrs):
    """`dataset` with the attributes of a store of this kind."""
    return dataset.assign_attrs({**dataset.attrs, **ATTRS, "seeds": [0, 1], "kind": kind, **attrs})


def summarised(seeds, **attrs):
    """The summary store of a list of sparsity stores."""
    return identified(summary.summarise(seeds, 1e-12, RESAMPLING), "summary", **attrs)


def survived(seeds, **attrs):
    """The survival store of a list of sparsity stores."""
    return identified(survival.summarise([durations.counts_of(seed) for seed in seeds], 30, 0.95, 0), "survival", **attrs)


def patterned(seeds, **attrs):
    """The pattern store of a list of sparsity stores."""
    return identified(temporal.summarise(seeds, TEMPORAL, RESAMPLING), "patterns", **attrs)


def multiplied(seeds, resampling=RESAMPLING, **attrs):
    """The horizon store of the Jacobians behind a list of sparsity stores."""
    jacobians = [jacobian_store(seed) for seed in seeds]
    return identified(horizons.summarise(jacobians, 1e-12, HORIZONS, resampling), "horizons", **attrs)


def structured(seeds, *, change=0.0, gained=0, possible=True, **attrs):
    """A structure store for a list of sparsity stores: every shift of qpos:a changes the other variables by `change`.

    Shifts of qpos:b change every variable by 0.5. `gained`: steps in which a shift of 2 m of qpos:a reaches its limit.
    """
    data = seeds[0]
    largest = np.full((2, 4, 4), 0.5)
    largest[0] = np.where(np.arange(4) == 0, 0, change)
    largest[0, 2:] = np.nan
    limits = np.zeros((2, 4, data.sizes["constraint"]), np.int32)
    limits[0, 1, 1:] = gained
    arrays = {
        "possible": (("out_dim", "in_dim"), np.full((4, 6), possible)),
        "rotates": ("coordinate", [False, True]),
        "shift_size": (("coordinate", "shift"), [[1, 2, np.nan, np.nan], [0.5, -0.5, 3, -3]]),
        "largest_change": (("coordinate", "shift", "out_dim"), largest),
        "gained": (("coordinate", "shift", "constraint"), limits),
        "step_difference": ("sample", np.zeros(7)),
    }
    labels = {name: data[name] for name in ("out_dim", "in_dim", "constraint")}
    return identified(xr.Dataset(arrays, {**labels, "coordinate": ["qpos:a", "qpos:b"]}), "structure", **attrs)


def clustered(seeds, **attrs):
    """The clustering store of a list of sparsity stores."""
    return identified(clustering.summarise(seeds, TEMPORAL, RESAMPLING), "clustering", **attrs)


def embedded(sparsities):
    """Embedding and frame stores, of made-up rollouts and two grey frames at the ends of the sequence."""
    rollouts = [rollout_store(sparsity.attrs["seed"], *sparsity.zero.shape[:2]) for sparsity in sparsities]
    points = embedding.embed(rollouts, sparsities, EmbeddingSettings(max_points=50, sequence_steps=5))
    steps = points.step.values[points.sequence.values >= 0]
    frames = xr.Dataset(
        {
            "image": (("frame", "row", "column", "rgb"), np.full((2, 8, 8, 3), 127, np.uint8)),
            "step": ("frame", steps[[0, -1]]),
        }
    )
    return [identified(points, "embedding"), identified(frames, "frames")]


@functools.cache
def study(case):
    """All stores of one of CASES, by kind; `agents` has what the table of agents reads."""
    seeds = CASES[case]()
    summary_store, pattern_store = summarised(seeds), patterned(seeds)
    return {
        "sparsity": seeds,
        "summary": [summary_store],
        "survival": [survived(seeds)],
        "patterns": [pattern_store],
        "horizons": [multiplied(seeds)],
        "summary and structure": [summary_store, structured(seeds)],
        "clustering": [clustered(seeds)],
        "summary and patterns": [summary_store, pattern_store],
        "agents": [summary_store, pattern_store, rollout_store(0, *seeds[0].zero.shape[:2])],
        "embedding": embedded(seeds),
    }


def made_up(reads):
    """The key of `study` for the stores of these stages; None if it has no such stores."""
    kinds = ("sparsity", "summary", "survival", "patterns", "horizons", "clustering")
    keys: dict[tuple[str, ...], str] = {(kind,): kind for kind in kinds}
    keys[("summary", "structure")] = "summary and structure"
    keys |= {("summary", "patterns"): "summary and patterns", ("summary", "patterns", "rollouts"): "agents"}
    return {**keys, ("embedding", "frames"): "embedding"}.get(reads)


def table(name, stores):
    """The table `name` of `stores`, with the paper's numbers."""
    return importlib.import_module(f"dynamic_sparsity.tables.{name}").build(stores, PAPER)


def trained(stochastic, task="CheetahRun", zero=0.0, noise=1.0):
    """The provenance of an expert with these mean returns."""
    values = {"stochastic": stochastic, "deterministic": 9.0, "coloured": 8.0, "zero": zero, "noise": noise}
    returns = {name: {"mean": value, "std": 1.0, "each": [value + 300, value - 300]} for name, value in values.items()}
    return {"task": task, "seed": 1, "steps": 7, "hardware": "a", "returns": {**returns, "episodes": 32, "steps": 1000}}
