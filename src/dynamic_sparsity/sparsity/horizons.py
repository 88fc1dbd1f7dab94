"""How far zeros carry: of products of Jacobians along episodes, and of whole blocks of joints and objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from dynamic_sparsity.definitions.blocks import STATE, in_block
from dynamic_sparsity.definitions.zero import below
from dynamic_sparsity.settings.horizons import HorizonSettings
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity import block_zeros, products
from dynamic_sparsity.sparsity.groups import Blocks
from dynamic_sparsity.sparsity.ratios import ratio, with_intervals
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import EPISODE, IN, OUT, TIME, labels

ZEROS_BY = ("structure", "value", "shuffled")
"""Labels of the dim `zeros_by`: zeros by structure, by value, and by structure if each start step is followed by
other steps of its episode in random order."""
LEVELS = ("object", "joint")


class _Episode(NamedTuple):
    """Sums of one episode, or of several."""

    entries: xr.Dataset
    """Products at the horizons of the settings, entry by entry."""
    joints: xr.Dataset
    """Products of every number of steps, by blocks of joints."""
    carried: xr.Dataset
    """Products of every number of steps: of all entries together, and by blocks of objects."""
    blocks: dict[str, xr.Dataset]
    """Whole blocks, by level."""


def summarise(
    seeds: Sequence[xr.Dataset], threshold: float, horizons: HorizonSettings, resampling: ResamplingSettings
) -> xr.Dataset:
    """Products and blocks of one task and policy, from the Jacobian stores of its study seeds.

    Dims: `zeros_by` (ZEROS_BY); `step`: number of multiplied Jacobians, 1 ... K; `horizon`: those of the settings; out_dim
    and in_dim; `row_object`, `column_object`, `row_joint`, `column_joint`: blocks (`groups.Blocks`). What is marked * has
    an interval (`_low`, `_high`).

    - `products` (zeros_by, step): number of products; `first_share`: share of zeros in their first factors;
    - `zero_share` (zeros_by, horizon, out_dim, in_dim): share of the products in which an entry is zero;
    - `left`* (zeros_by, step): zeros of the products over zeros of their first factors;
    - `half`* (zeros_by): the first step at which at most half of the zeros are left, infinite if that is beyond K;
    - `lifetime`* (zeros_by): the sum of `left` over all steps, the mean number of steps that a zero lasts, of at most K;
    - `longer`*: `lifetime` by structure minus that of the shuffled steps, with the p-value `longer_p_value` that it is 0;
    - `object_half`*, `joint_left`, `joint_half`: the same within blocks, NaN for a block without zeros;
    - whole blocks, as `object_zero_share`* and so on, and `joint_zero_share`* and so on: `block_zeros.statistics`.
    """
    blocks = {level: Blocks.of(seeds[0], level) for level in LEVELS}
    sums = [_of_seed(seed, threshold, horizons, blocks, resampling.seed) for seed in seeds]
    entries = _total([episode.entries for seed in sums for episode in seed])
    joints = _total([episode.joints for seed in sums for episode in seed])
    counts = {level: [_stacked([e.blocks[level] for e in seed]) for seed in sums] for level in LEVELS}
    whole = {level: with_intervals(counts[level], block_zeros.statistics, resampling) for level in LEVELS}
    carried = [_stacked([episode.carried for episode in seed]) for seed in sums]
    joint_left = ratio(joints.zero, joints.first)
    return xr.Dataset(
        {
            "products": joints.alive,
            "first_share": _first_share(joints, seeds[0].sizes[OUT] * seeds[0].sizes[IN]),
            "zero_share": ratio(entries.zero, entries.alive),
            **with_intervals(carried, _carried, resampling, tested=["longer"]).data_vars,
            "joint_left": joint_left,
            "joint_half": _half(joint_left),
            **{f"{level}_{name}": array for level in LEVELS for name, array in whole[level].data_vars.items()},
        },
        coords={name: seeds[0][name] for name in seeds[0].coords if str(name).startswith(("out_", "in_"))},
    )


def _of_seed(
    seed: xr.Dataset, threshold: float, horizons: HorizonSettings, blocks: Mapping[str, Blocks], bootstrap_seed: int
) -> list[_Episode]:
    """Sums of every episode of a Jacobian store. One episode is in memory at a time."""
    rng = np.random.default_rng([bootstrap_seed, int(seed.attrs["seed"])])
    episodes = episodes_of(seed[["jacobian", "length"]])
    return [_of_episode(episode.jacobian, threshold, horizons, blocks, rng) for episode in episodes]


def _of_episode(
    jacobian: xr.DataArray,
    threshold: float,
    horizons: HorizonSettings,
    blocks: Mapping[str, Blocks],
    rng: np.random.Generator,
) -> _Episode:
    values = jacobian.transpose(TIME, OUT, IN).values
    finite, zero = np.isfinite(values), below(values, threshold)
    states = np.flatnonzero(in_block(jacobian[IN], STATE))
    longest, length = horizons.steps[-1], len(values)
    starts = products.start_steps(length, longest, horizons.starts)
    steps = products.consecutive(starts, longest)
    counted = products.Products.stacked(
        products.by_structure(zero, finite, states, steps),
        products.by_value(values, threshold, states, steps),
        products.by_structure(zero, finite, states, products.shuffled(length, starts, longest, rng)),
    )
    joints = _by_blocks(counted, blocks["joint"])
    objects = _by_blocks(counted, blocks["object"]).drop_vars("alive")
    of_all = joints[["zero", "first"]].sum(blocks["joint"].dims)
    return _Episode(
        _by_entries(counted, horizons.steps),
        joints,
        of_all.assign({f"object_{name}": array for name, array in objects.data_vars.items()}),
        {level: block_zeros.count(zero, finite, of_level) for level, of_level in blocks.items()},
    )


def _by_entries(counted: products.Products, horizons: Sequence[int]) -> xr.Dataset:
    at, dims = np.array(horizons) - 1, ("zeros_by", "horizon")
    arrays = {"alive": (dims, counted.alive[:, at]), "zero": ((*dims, OUT, IN), counted.zero[:, at])}
    return xr.Dataset(arrays, {"zeros_by": labels(ZEROS_BY), "horizon": list(horizons)})


def _by_blocks(counted: products.Products, blocks: Blocks) -> xr.Dataset:
    dims = ("zeros_by", "step")
    sums = {name: blocks.reduce(np.add, getattr(counted, name)) for name in ("zero", "first")}
    return xr.Dataset(
        {"alive": (dims, counted.alive), **{name: ((*dims, *blocks.dims), array) for name, array in sums.items()}},
        {"zeros_by": labels(ZEROS_BY), "step": np.arange(1, counted.alive.shape[1] + 1), **blocks.coords},
    )


def _carried(sums: xr.Dataset) -> xr.Dataset:
    """What is left of all zeros, and the steps after which half are gone in blocks of objects."""
    return lifetimes(sums).assign(object_half=_half(ratio(sums.object_zero, sums.object_first)))


def lifetimes(sums: xr.Dataset) -> xr.Dataset:
    """`left`, `half`, `lifetime` and `longer` (`summarise`) from `zero` and `first`, numbers of zeros (zeros_by, step)."""
    left = ratio(sums["zero"], sums["first"])
    lifetime = left.sum("step", skipna=False)
    longer = lifetime.sel(zeros_by="structure", drop=True) - lifetime.sel(zeros_by="shuffled", drop=True)
    return xr.Dataset({"left": left, "half": _half(left), "lifetime": lifetime, "longer": longer})


def _half(left: xr.DataArray) -> xr.DataArray:
    """The first step at which at most half is left, infinite if there is none; NaN where nothing is known."""
    reached = left.step.where(left <= 0.5).min("step")
    return reached.fillna(np.inf).where(left.notnull().any("step"))


def _first_share(sums: xr.Dataset, entries: int) -> xr.DataArray:
    """Share of zeros in the first factors of the products of one step."""
    one = sums.isel(step=0).sel(zeros_by="structure", drop=True).drop_vars("step")
    zeros = one["first"].sum()
    return ratio(zeros, one.alive * entries)


def _stacked(sums: Sequence[xr.Dataset]) -> xr.Dataset:
    return xr.concat(sums, dim=EPISODE)


def _total(sums: Sequence[xr.Dataset]) -> xr.Dataset:
    return _stacked(sums).sum(EPISODE)
