"""The embedding of transitions, and its sequence of consecutive steps."""

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.embedding import EmbeddingSettings
from dynamic_sparsity.sparsity import embedding
from tests.helpers.synthetic import rollout_store, sparsity_store


def test_the_embedding_holds_every_nth_step_and_the_sequence_that_varies_most():
    late = np.zeros((2, 30), bool)
    late[0, 20::2] = True
    sparsities = [sparsity_store(0, late), sparsity_store(1, late, lengths=[30, 11])]
    rollouts = [rollout_store(seed, 2, 30) for seed in (0, 1)]
    rollouts[1].length[1] = 11
    result = embedding.embed(rollouts, sparsities, EmbeddingSettings(max_points=45, sequence_steps=6))
    assert result.attrs["every_nth_step"] == 3  # 101 steps for 39 points
    assert result.sizes["point"] <= 45
    sequence = result.isel(point=result.sequence.values >= 0)
    assert sequence.step.min() >= 18 and sequence.sequence.values.tolist() == list(range(6))
    assert (sequence.seed == 0).all() and (sequence.episode == 0).all()
    outside = result.isel(point=result.sequence.values < 0)
    end_to_end = outside.step + 60 * outside.seed + 30 * outside.episode
    assert set(end_to_end.values % 3) == {0} and len(outside.point) >= 32 and result.step.max() < 30
    sparse = embedding.embed(rollouts, sparsities, EmbeddingSettings(max_points=13, sequence_steps=6))
    outside = sparse.isel(point=sparse.sequence.values < 0)
    places = outside.step + 60 * outside.seed + 30 * outside.episode
    assert places.values.tolist() == [0, 15, 30, 45, 60, 75, 90], "101 steps for 7 points"
    for n in range(result.sizes["point"]):
        seed, episode, step = (int(result[name][n]) for name in ("seed", "episode", "step"))
        expected = sparsities[seed].sparsity.sel(block="[J_s J_a]", threshold=1e-12)[episode, step]
        assert result.sparsity[n] == expected
    assert result.attrs["perplexity"] == (result.sizes["point"] - 1) / 3, "a perplexity of 50 is too large for so few points"
    again = embedding.embed(rollouts, sparsities, EmbeddingSettings(max_points=45, sequence_steps=6))
    np.testing.assert_array_equal(again.x, result.x)


def test_steps_without_a_sparsity_do_not_attract_the_sequence():
    series = np.full((1, 40, 1, 1), 0.5)
    series[0, 30:34] = 0.75
    series[0, 10] = np.nan
    sparsity = xr.Dataset(
        {"sparsity": (("episode", "time", "block", "threshold"), series), "length": ("episode", [40])},
        {"block": ["[J_s J_a]"], "threshold": [1e-12]},
        {"threshold": 1e-12},
    )
    first, length = embedding._sequence(sparsity, 8)
    assert length == 8 and 24 <= first <= 32, first
    assert embedding._sequence(sparsity.assign(sparsity=sparsity.sparsity * np.nan), 8) == (0, 8)
