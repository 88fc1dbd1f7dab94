"""Stores of another study or another simulator are refused, and every kind of store can be saved in other formats."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import xarray as xr

from dynamic_sparsity.settings.stages import STAGES
from tests.pipeline.project import ROOT

ROLLOUT = "results/rollouts/CartpoleBalance/noise/0.zarr"
JACOBIAN = "results/jacobians/CartpoleBalance/noise/exact/0.zarr"
SUMMARY = "results/summary/CartpoleBalance/noise/exact.zarr"
TABLE = "results/tables/mean_sparsity.csv"


def error_in(output):
    """The only error message in the output of a job that failed."""
    assert "Traceback" not in output
    (message,) = {line.strip() for line in output.splitlines() if line.strip().startswith("error: ")}
    return message


def test_rollouts_of_another_study_are_refused(project, finished, tmp_path):
    other_study = finished.copy(tmp_path / "other")
    other_study.change("policies.noise.scale", 0.05)
    other_study.snakemake("--cores", "1", "--", ROLLOUT)
    for store in (ROLLOUT, JACOBIAN):
        shutil.rmtree(project.path / store)
    shutil.copytree(other_study.path / ROLLOUT, project.path / ROLLOUT)
    output = project.snakemake("--cores", "1", "--", JACOBIAN, ok=False)
    message = (
        f"error: {ROLLOUT} was made with policies.noise.scale = 0.05, this study has 0.5: delete it and run snakemake again"
    )
    assert error_in(output) == message and not (project.path / JACOBIAN).exists()
    shutil.rmtree(project.path / ROLLOUT)
    project.run()
    assert project.fingerprint() == finished.fingerprint()


def change_attribute(store, name, value):
    root = json.loads((store / "zarr.json").read_text())
    root["attributes"][name] = value(root["attributes"][name])
    (store / "zarr.json").write_text(json.dumps(root))


def test_a_table_of_results_of_several_simulators_is_refused(project):
    change_attribute(project.path / SUMMARY, "simulator_versions", lambda text: text.replace('"3.17.0"', '"3.16.0"'))
    (project.path / TABLE).unlink()
    message = error_in(project.snakemake("--cores", "1", "--", TABLE, ok=False))
    assert SUMMARY in message and "mujoco '3.16.0'" in message and "'3.17.0'" in message and "-R rollouts" in message


@pytest.fixture(scope="module")
def every_kind(finished, tmp_path_factory):
    """A study with stores of every kind."""
    project = finished.copy(tmp_path_factory.mktemp("every") / "project")
    project.change("policies", {"noise": {"beta": 0.5, "scale": 0.5}})
    project.change("embedding", {"tasks": ["CartpoleBalance"], "max_points": 40, "sequence_steps": 5})
    project.change("ablation", {"tasks": ["CartpoleBalance"], "variants": ["implicit"]})
    training = {"epochs": 2, "batch": 8}
    models = {"mlp": {"width": 8}, "gated": {"network": "gated", "width": 8, "jacobian_columns": None}}
    project.change("world_models", {"tasks": ["CartpoleBalance"], "models": models, "training": training, "horizons": [1]})
    project.run()
    project.snakemake("--cores", "2", "--", "results/durations/CartpoleBalance/noise/exact/0.zarr")
    return project


def stores_of(project):
    paths = sorted((project.path / "results").rglob("*.zarr"))
    stores = {xr.open_zarr(path, consolidated=False).attrs["kind"]: path for path in paths}
    assert stores.keys() == STAGES.keys()
    return stores


def test_every_store_can_be_written_as_netcdf(every_kind, tmp_path):
    """Dims of length 0 are dropped before reading, because no netCDF 3 file with them can be read."""
    for kind, path in stores_of(every_kind).items():
        data = xr.open_zarr(path, consolidated=False).load()
        data.to_netcdf(tmp_path / f"{kind}.nc")
        data.drop_dims([dim for dim, size in data.sizes.items() if size == 0]).to_netcdf(tmp_path / f"{kind}-read.nc")
        with xr.open_dataset(tmp_path / f"{kind}-read.nc") as again:
            assert again.attrs["settings"] == data.attrs["settings"]
            assert json.loads(again.attrs["versions"])["zarr"] == "3.1.6"
            for name, array in again.data_vars.items():
                assert (array.values == data[name].values).all() or array.dtype.kind == "f"


def snippets(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


def test_the_documented_ways_to_save_a_part_run(every_kind, tmp_path, monkeypatch):
    (snippet,) = [text for text in snippets("docs/stores.md") if "to_zarr" in text]
    assert "to_netcdf" in snippet and "drop_encoding" in snippet
    monkeypatch.chdir(tmp_path)
    for kind, path in stores_of(every_kind).items():
        code = re.sub(r'"results/[^"]*"', repr(str(path)), snippet)
        if "episode" not in xr.open_zarr(path, consolidated=False).dims:
            code = code.replace("episode=", f"{next(iter(xr.open_zarr(path, consolidated=False).sizes))}=")
        shutil.rmtree("part.zarr", ignore_errors=True)
        subprocess.run([sys.executable, "-c", code], check=True)
        part = xr.open_zarr("part.zarr", consolidated=False)
        assert part.attrs["kind"] == kind and part.data_vars
        with xr.open_dataset("part.nc") as again:
            assert again.attrs["kind"] == kind and again.data_vars
