"""Stores of another study or another simulator are refused."""

import json
import shutil

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
    project.snakemake("--cores", "1", "--", JACOBIAN)
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
