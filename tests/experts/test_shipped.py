"""The list of shipped experts: read in order and compared with the files."""

import hashlib

import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.experts.expert import write_expert
from dynamic_sparsity.experts.shipped import LIST, of_tasks
from tests.helpers.experts import FINISHED, make_expert


def list_them(directory):
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in directory.glob("*.safetensors")]
    (directory / LIST).write_text("\n".join(["", *lines, ""]))


@pytest.fixture
def directory(tmp_path):
    for task in ("FishSwim", "HopperHop"):
        for seed in (10, 2):
            write_expert(tmp_path / f"{task}-{seed}.safetensors", make_expert(task=task, seed=seed, **FINISHED))
    list_them(tmp_path)
    return tmp_path


def test_files_come_in_the_order_of_their_seeds(directory):
    experts = of_tasks(directory, ["FishSwim"])["FishSwim"]
    assert [path.stem for path, _ in experts] == ["FishSwim-2", "FishSwim-10"]
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == checksum for path, checksum in experts)
    assert list(of_tasks(directory, ["HopperHop"])) == ["HopperHop"]


def test_what_is_wrong_is_named_with_a_remedy(directory):
    with pytest.raises(UserError, match=r"no expert is shipped for CheetahRun .*(FishSwim|HopperHop), .*expert: train"):
        of_tasks(directory, ["FishSwim", "CheetahRun"])
    (directory / "FishSwim-2.safetensors").write_text("other")
    with pytest.raises(UserError, match=r"FishSwim-2\.safetensors does not match its checksum in SHA256SUMS"):
        of_tasks(directory, ["FishSwim"])
    of_tasks(directory, ["HopperHop"])
    write_expert(directory / "FishSwim-2.safetensors", make_expert(task="HopperHop"))
    list_them(directory)
    with pytest.raises(UserError, match=r"FishSwim-2\.safetensors is an expert for HopperHop, not for FishSwim: restore it"):
        of_tasks(directory, ["FishSwim"])
    write_expert(directory / "FishSwim-2.safetensors", make_expert(task="FishSwim"))
    list_them(directory)
    with pytest.raises(UserError, match=r"FishSwim-2\.safetensors does not say hardware, returns, .*is it a checkpoint"):
        of_tasks(directory, ["FishSwim"])
    (directory / "FishSwim-2.safetensors").unlink()
    with pytest.raises(UserError, match=r"FishSwim-2\.safetensors is missing: restore it"):
        of_tasks(directory, ["FishSwim"])


def test_the_sizes_of_an_expert_are_those_of_its_task(directory):
    write_expert(
        directory / "CheetahRun-0.safetensors", make_expert(observations=18, actions=6, task="CheetahRun", **FINISHED)
    )
    list_them(directory)
    with pytest.raises(UserError, match=r"CheetahRun-0\.safetensors is for 18 observations, but CheetahRun has 17"):
        of_tasks(directory, ["CheetahRun"])


@pytest.mark.parametrize("text", ["one-word\n", "three words here\n", None])
def test_a_list_that_cannot_be_read_is_one_message(directory, text):
    (directory / LIST).unlink() if text is None else (directory / LIST).write_text(text)
    with pytest.raises(UserError, match=f"cannot read .*{LIST}"):
        of_tasks(directory, ["FishSwim"])
