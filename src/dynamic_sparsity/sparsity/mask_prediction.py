"""How well the zero mask of a step predicts which entries act when an input is moved, next to masks of other steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.stores.schema import EPISODE, IN, OUT


def predictions(seeds: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """How well masks predict which entries act, per episode of each study seed.

    `seeds`: masks of the sampled steps (`interventions.summarise`): `zero`, `finite` (episode, sample, out_dim, in_dim),
    `acts` and `usable` (also over `size`). A mask says that its zeros do not act and that its other finite entries do.
    Only entries count that are zero in some sampled steps and non-zero in others, because all masks say the same of the
    rest; the result is NaN if there is none. Returns, per episode and size, means over its samples:

    - `own`: share of the usable entries of a step of which its own mask is right;
    - `other`: the same for the masks of all sampled steps of other episodes, or of other steps if there is one episode;
    - `advantage`: own - other. It is 0 in expectation if a step's mask says nothing about this step in particular.
    """
    sizes = [(seed.sizes[EPISODE], seed.sizes["sample"]) for seed in seeds]
    zero, finite = (_flat(seeds, name) for name in ("zero", "finite"))
    episode = np.concatenate([np.repeat(np.arange(count), samples) for count, samples in sizes])
    episode += np.repeat(np.cumsum([0, *(count for count, _ in sizes[:-1])]), [count * samples for count, samples in sizes])
    switching = (zero & finite).any(0) & (~zero & finite).any(0)
    columns = [
        rightly(zero[:, switching], finite[:, switching], acts[:, switching], usable[:, switching], episode)
        for acts, usable in zip(_flat(seeds, "acts"), _flat(seeds, "usable"), strict=True)
    ]
    own, other = (np.stack(part, axis=-1) for part in zip(*columns, strict=True))
    by_name = {"own": own, "other": other, "advantage": own - other}
    ends = np.cumsum([count * samples for count, samples in sizes])[:-1]
    split = {name: np.split(values, ends) for name, values in by_name.items()}
    return [
        xr.Dataset({name: ((EPISODE, "size"), _episode_means(pieces[number], shape)) for name, pieces in split.items()})
        for number, shape in enumerate(sizes)
    ]


def rightly(
    zero: np.ndarray, finite: np.ndarray, acts: np.ndarray, usable: np.ndarray, episode: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per step, the share of the entries of which a mask is right: its own mask, and the masks of other episodes.

    Arrays [step, entry]; `episode` [step]. Entries count that are usable in the step and finite in the mask. NaN where
    no entry counts. With one episode, the other masks are those of all other steps.
    """
    quiet, active = (usable & ~acts).astype(float), (usable & acts).astype(float)
    says_quiet, says_active = (zero & finite).astype(float), (~zero & finite).astype(float)
    right = quiet @ says_quiet.T + active @ says_active.T
    counted = (quiet + active) @ (says_quiet + says_active).T
    others = episode[:, None] != episode[None, :]
    if not others.any():
        others = ~np.eye(len(episode), dtype=bool)
    own = _ratio(np.diag(right), np.diag(counted))
    return own, _ratio((right * others).sum(1), (counted * others).sum(1))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _flat(seeds: Sequence[xr.Dataset], name: str) -> np.ndarray:
    """A mask of all steps of all study seeds: [step, entry], or [size, step, entry] for one that has sizes."""
    arrays = []
    for seed in seeds:
        array = seed[name].transpose("size", EPISODE, "sample", OUT, IN, missing_dims="ignore").values
        before = array.shape[:-4]
        arrays.append(array.reshape(*before, array.shape[-4] * array.shape[-3], -1))
    return np.concatenate(arrays, axis=-2)


def _episode_means(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Means [episode, size] over the samples whose value is known."""
    by_episode = values.reshape(*shape, -1)
    known = ~np.isnan(by_episode)
    return _ratio(np.where(known, by_episode, 0.0).sum(1), known.sum(1))
