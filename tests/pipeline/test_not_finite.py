"""Jacobians that are not finite in the middle of an episode are counted, excluded from statistics, and end runs."""

import re

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.sparsity import durations
from dynamic_sparsity.stores.opening import open_store
from dynamic_sparsity.study.catalogue import TABLES

HOLES = """
_whole_dataset, _numbers = jacobian_dataset, iter(range(3))
def jacobian_dataset(*arguments):
    dataset = _whole_dataset(*arguments)
    if next(_numbers) == 1:
        dataset.jacobian[10:12, 1, 2] = np.inf
        dataset.jacobian[12] = np.nan
    return dataset
"""
MEANS = "results/tables/mean_sparsity.csv"
INSIDE = (10, 11, 12)
"""Steps of episode 1 with an entry that is not finite."""


def test_jacobians_that_are_not_finite_are_counted_and_excluded(project, finished, tmp_path):
    module = project.path / "src/dynamic_sparsity/simulation/differentiate.py"
    original, config = module.read_text(), (project.path / "config.yaml").read_text()
    project.edit("simulation/differentiate.py", HOLES)
    gated = {"network": "gated", "width": 8, "jacobian_loss": "mse"}
    settings = {"tasks": ["CartpoleBalance"], "models": {"gated": gated}, "seeds": [5, 1, 0], "horizons": [1, 20]}
    project.change("world_models", {**settings, "training": {"epochs": 2, "batch": 8}})
    project.run()
    runs = "results/durations/CartpoleBalance/expert/exact/0.zarr"
    for study in (project, whole := finished.copy(tmp_path / "whole")):
        study.snakemake("--cores", "2", "--", runs)
    assert project.cli("verify", "results").returncode == 0
    for policy in ("expert", "noise"):
        check_sparsity(*(opened(study, f"sparsity/CartpoleBalance/{policy}/exact/0") for study in (project, finished)))
    check_durations(*(opened(study, "durations/CartpoleBalance/expert/exact/0") for study in (project, whole)), project.path)
    check_tables(project, finished)
    check_world_models(project)
    module.write_text(original)
    (project.path / "config.yaml").write_text(config)
    project.snakemake("--cores", "2", "--", MEANS)
    before, after = finished.fingerprint(), project.fingerprint()
    made_again = [name for name in before if re.match(r"results/(jacobians|sparsity|summary)/", name) or name == MEANS]
    assert len(made_again) > 40 and all(after[name] == before[name] for name in made_again)


def opened(study, name):
    return xr.open_zarr(study.path / f"results/{name}.zarr", consolidated=False).load()


def check_sparsity(holed, whole):
    xr.testing.assert_equal(holed.isel(episode=[0, 2]), whole.isel(episode=[0, 2]))
    middle = holed.isel(episode=1)
    entries = middle.sizes["out_dim"] * middle.sizes["in_dim"]
    assert (~middle.finite).sum() == 2 + entries and not (middle.zero & ~middle.finite).any()
    assert middle.finite_count.sum() == 25 * entries - 2 - entries
    assert middle.sparsity.isnull().any(("block", "threshold")).values.nonzero()[0].tolist() == [12]
    steps = [step for step in range(25) if step not in INSIDE]
    xr.testing.assert_equal(middle.sparsity.isel(time=steps), whole.sparsity.isel(episode=1, time=steps))


def check_durations(holed, whole, folder):
    counts = durations.counts_of(open_store(folder / "results/sparsity/CartpoleBalance/expert/exact/0.zarr"))
    for name in counts.data_vars:
        xr.testing.assert_equal(counts[name].drop_vars("episode", errors="ignore"), holed[name].drop_vars("episode"))
    untouched = ("ended", "cut", "unseen_start", "spanning", "paper", "runs")
    xr.testing.assert_equal(holed[list(untouched)].isel(episode=[0, 2]), whole[list(untouched)].isel(episode=[0, 2]))
    middle = holed.isel(run=holed.run_episode == 1)
    first, last = middle.run_start.values, middle.run_start.values + middle.run_length.values - 1
    hit = (middle.run_out.values == 1) & (middle.run_in.values == 2)
    for step, entries in ((10, hit), (11, hit), (12, np.ones_like(hit))):
        assert not ((first <= step) & (step <= last) & entries).any(), "no run spans the hole"
    at_the_hole = (first == 13) | (last == 11) | hit & (last == 9)
    assert (middle.run_start_censored | middle.run_end_censored).values[at_the_hole].all() and at_the_hole.any()


def check_tables(project, finished):
    of_models = {f"{name}.csv" for name, table in TABLES.items() if table.also_reads}  # `finished` has no models
    names = sorted(path.name for path in (finished.path / "results/tables").glob("*.csv") if path.name not in of_models)
    tables = {name: [pd.read_csv(study.path / "results/tables" / name) for study in (project, finished)] for name in names}
    for name, (holed, whole) in tables.items():
        if len(holed) == len(whole):
            assert (holed.isna() == whole.isna()).all(axis=None), name
    mean = tables["mean_sparsity.csv"][0].set_index(["policy", "block", "threshold"])
    entries = 4 * 5
    np.testing.assert_allclose(mean.nonfinite_share, (2 + entries) / (75 * entries))
    for policy in ("expert", "noise"):
        by_step = opened(project, f"sparsity/CartpoleBalance/{policy}/exact/0").sparsity.sel(threshold=1e-12, block="J_s")
        by_hand = np.nanmean(np.nanmean(by_step.values, axis=1))
        np.testing.assert_allclose(mean.loc[(policy, "J_s", 1e-12)].mean_sparsity, by_hand)
    assert (tables["temporal.csv"][0].steps_without_pattern == len(INSIDE)).all()


def check_world_models(project):
    for seed in (5, 1, 0):  # by seed, episode 1 is for training, validation or test
        store = opened(project, f"world_models/CartpoleBalance/expert/exact/gated/{seed}")
        for name in ("history", "jacobian", "prediction", "matched_threshold", "input_scale", "output_scale"):
            assert np.isfinite(store[name]).all(), name
        assert np.isfinite(store.rollout_error).all() and store.attrs["ended"] == "all epochs"
        log = project.path / f"results/logs/world_models/CartpoleBalance-expert-exact-gated-{seed}.log"
        assert "3 of 75 steps have a Jacobian that is not finite" in log.read_text()
    recovery = opened(project, "recovery/CartpoleBalance/expert/exact").sel(condition="all", basis="scaled")
    assert np.isfinite(recovery.auroc).all() and (recovery.auroc.sel(model="truth") == 1).all()
    assert (recovery.duration_distance.sel(model="truth") == 0).all()
    assert np.isfinite(recovery.relative_error.sel(model="gated")) and np.isfinite(
        recovery.one_step_error.sel(model="gated")
    )
