"""A store's proof that it replays holds if code and versions are the same and all files are as they were written."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.runtime import sources
from dynamic_sparsity.runtime.versions import SIMULATOR
from dynamic_sparsity.settings.jacobians import JacobianStage
from dynamic_sparsity.settings.rollouts import RolloutStage
from dynamic_sparsity.simulation import proof
from dynamic_sparsity.stores.metadata import DIGESTS
from dynamic_sparsity.stores.opening import attributes_of, open_store
from tests.helpers.hostile import GONE, VALUES, answer
from tests.helpers.source import PACKAGE
from tests.helpers.stores import change

TASK = "CartpoleBalance"
STUDY = {"policies": {"noise": {}}, "rollouts": {"episodes": 2, "steps": 20}}


def stage(name, *arguments, **section):
    """Runs a stage in a process of its own."""
    command = [
        sys.executable,
        "-m",
        f"dynamic_sparsity.stages.{name}",
        "--settings",
        json.dumps(section),
    ]
    environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    return subprocess.run([*command, *map(str, arguments)], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A rollout store as its stage makes it."""
    path = tmp_path_factory.mktemp("proof") / "0.zarr"
    section = RolloutStage.model_validate(STUDY).model_dump()
    process = stage("rollouts", "--task", TASK, "--policy", "noise", "--seed", 0, "--output", path, **section)
    assert process.returncode == 0, process.stderr
    return path


@pytest.fixture
def store(recorded, tmp_path):
    """A copy of the recorded store."""
    return shutil.copytree(recorded, tmp_path / "0.zarr")


def doubt(path):
    return proof.doubt(path, attributes_of(path, "rollouts"))


def alter_chunk(path):
    file = path / "qvel/c/0/0/0"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")


def test_the_proof_of_a_store_that_is_whole_holds(store):
    assert doubt(store) is None
    (store / ".snakemake_timestamp").touch()
    assert doubt(store) is None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: change(path / "zarr.json", "attributes.replay_proof", GONE), "^the store has no proof$"),
        (
            lambda path: change(path / "zarr.json", "attributes.replay_proof", "0" * 64),
            "made by a different version of the code",
        ),
        (lambda path: change(path / "zarr.json", f"attributes.{DIGESTS}", GONE), "no list of its files"),
        (alter_chunk, "qvel/c/0/0/0 has been altered"),
        (lambda path: (path / "qvel/c/0/0/0").unlink(), "qvel/c/0/0/0 is missing"),
        (lambda path: (path / "qvel/c/0/0/1").touch(), "qvel/c/0/0/1 is not in the store's list"),
    ],
)
def test_any_other_is_made_again_and_the_reason_said(store, damage, reason):
    damage(store)
    assert re.search(reason, doubt(store))


@pytest.mark.parametrize("version", ["0.0.1", GONE, "\x1b[2J"], ids=quoted)
@pytest.mark.parametrize("package", SIMULATOR)
def test_a_proof_of_another_version_of_the_simulator_is_made_again(store, package, version):
    attributes = json.loads(json.loads((store / "zarr.json").read_text())["attributes"]["versions"])

    def write_versions(versions):
        change(store / "zarr.json", "attributes.versions", json.dumps(versions))

    write_versions({**attributes, "numpy": "0.0.1"})
    assert doubt(store) is None, "numpy decides nothing"
    without = {name: text for name, text in attributes.items() if name != package}
    write_versions(without if version is GONE else {**without, package: version})
    reason = doubt(store)
    assert reason.startswith(f"its proof was made with {package} ") and reason.isprintable()


@pytest.mark.parametrize("value", VALUES, ids=quoted)
def test_a_proof_that_is_none_is_one_message(store, value):
    change(store / "zarr.json", "attributes.replay_proof", value)
    assert answer(store, lambda: open_store(store, "rollouts")) is None
    with pytest.raises(UserError, match="has the replay_proof"):
        attributes_of(store)


@pytest.mark.parametrize(
    ("module", "decides"),
    [
        *(
            (f"simulation/{name}.py", True)
            for name in ("replay", "transition", "constraints", "tasks", "chunks", "programs")
        ),
        *(
            (f"simulation/{name}.py", False)
            for name in ("noise", "policies/base", "rollout", "differentiate", "stagewise/step")
        ),
        ("figures/style.py", False),
        ("sparsity/zeros.py", False),
        ("stores/writing.py", False),
    ],
)
def test_the_proof_is_of_the_code_that_decides_it_and_of_no_other(tmp_path, module, decides):
    shutil.copytree(PACKAGE, tmp_path / "dynamic_sparsity", ignore=shutil.ignore_patterns("__pycache__"))
    assert sources.digest(proof.PROVER, root=tmp_path) == proof.proof_code()
    path = tmp_path / "dynamic_sparsity" / module
    path.write_text(path.read_text() + "\nEDITED = True\n")
    assert (sources.digest(proof.PROVER, root=tmp_path) != proof.proof_code()) == decides


def differentiated(store):
    """What a Jacobian job prints, and its store."""
    output = store.parent / "jacobians.zarr"
    section = JacobianStage.model_validate({**STUDY, "jacobians": {"method": "implicit"}}).model_dump()
    process = stage("jacobians", "--rollout", store, "--output", output, **section)
    assert process.returncode == 0, process.stderr
    return process.stdout, open_store(output, "jacobians").load()


def test_a_job_that_takes_the_proof_loads_no_program_for_it_and_computes_the_same(store):
    trusting, jacobians = differentiated(store)
    assert (
        f"{TASK}: every recorded step replays, as was proved when it was recorded\n" in trusting
        and "replay:" not in trusting
    )
    change(store / "zarr.json", "attributes.replay_proof", GONE)
    proving, jacobians_again = differentiated(store)
    assert (
        f"{TASK}: proving again that every recorded step replays: the store has no proof\n" in proving
        and "replay:" in proving
    )
    assert jacobians.drop_attrs().equals(jacobians_again.drop_attrs())
