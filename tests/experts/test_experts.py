"""Expert files: what is written is read, and everything that is wrong with a file is reported."""

import hashlib
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.experts.expert import RETRAIN, check_finished, check_sizes, read_expert, write_expert
from tests.helpers.experts import FINISHED, SHIPPED, SUMS, TASK, make_expert

WITHOUT_COMMIT = ("BallInCup-0", "CartpoleBalance-0", "CheetahRun-0", "FingerSpin-0", "WalkerRun-0")
"""Shipped experts that were trained before the commit was recorded."""


@pytest.fixture
def path(tmp_path):
    write_expert(tmp_path / "a/expert.safetensors", make_expert())
    return tmp_path / "a/expert.safetensors"


def test_what_is_written_is_read(path):
    expert, original = read_expert(path, TASK), make_expert()
    assert read_expert(path).provenance == expert.provenance, "whatever its task"
    assert expert.provenance == {**original.provenance, "schema_version": 1}
    assert expert.tensors.keys() == original.tensors.keys()
    for name, array in original.tensors.items():
        np.testing.assert_array_equal(expert.tensors[name], array)
    assert expert.observation_size == 5
    assert [kernel.shape for kernel, _ in expert.layers] == [(5, 7), (7, 3), (3, 4)]
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing half-written is left"


def test_the_format_is_open(path):
    """The file has a length, a JSON header and then the arrays, as the safetensors specification says."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert header["policy/0/kernel"]["dtype"] == "F32" and header["policy/0/kernel"]["shape"] == [5, 7]
    assert json.loads(header["__metadata__"]["expert"])["task"] == TASK
    assert b"pickle" not in content


def test_a_failed_write_leaves_what_was_there(path):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_expert(path, make_expert(settings={1, 2}))
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def bfloat16(path):
    """Writes a data type that the format has and numpy lacks."""
    header = json.dumps({"observation_mean": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def rewrite(change):
    """A damage that leaves a correct checksum over wrong content."""

    def damage(path):
        expert = make_expert()
        change(expert)
        write_expert(path, expert)

    return damage


def relabel(path):
    path.write_bytes(path.read_bytes().replace(b'\\"seed\\": 0', b'\\"seed\\": 7'))


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("no tensors here\n" * 40)


def foreign(path):
    from safetensors.numpy import save_file

    save_file({"weights": np.zeros(3)}, path)


@pytest.mark.parametrize(
    ("damage", "message_part"),
    [
        (Path.unlink, "there is no such expert"),
        (truncate, "not a complete safetensors file"),
        (empty, "not a complete safetensors file"),
        (text, "not a complete safetensors file"),
        (flip, "altered"),
        (relabel, "altered"),
        (foreign, "not an expert"),
        (lambda path: write_expert(path, make_expert(task="FishSwim")), "an expert for FishSwim, not for CartpoleBalance"),
        (lambda path: write_expert(path, make_expert(network="transformer")), "'transformer'; known networks are swish-mlp"),
        (lambda path: write_expert(path, make_expert(action_size=3)), "do not fit"),
        (rewrite(lambda expert: expert.provenance.pop("observation_clip")), "does not say observation_clip"),
        (lambda path: write_expert(path, make_expert(observation_clip="5")), "observation_clip '5'"),
        (lambda path: write_expert(path, make_expert(observation_clip=-1)), "observation_clip -1"),
        (lambda path: write_expert(path, make_expert(observation_clip=float("nan"))), "observation_clip nan"),
        (rewrite(lambda expert: expert.tensors.pop("policy/1/bias")), "lacks policy/1/bias"),
        (rewrite(lambda expert: expert.tensors.pop("observation_std")), "lacks observation_std"),
        (rewrite(lambda expert: [expert.tensors.pop(n) for n in list(expert.tensors) if "policy" in n]), "lacks policy/0"),
        (rewrite(lambda expert: expert.tensors.update({"policy/7/bias": np.zeros(3)})), "lacks policy/3/bias"),
        (rewrite(lambda expert: expert.tensors.update({"policy/1/bias": np.zeros(9)})), "do not fit"),
        (rewrite(lambda expert: expert.tensors["policy/1/kernel"].fill(np.nan)), "not finite"),
        (rewrite(lambda expert: expert.tensors["observation_std"].fill(0)), "positive"),
        (rewrite(lambda expert: expert.tensors.update({"observation_std": np.ones(3)})), "of one length"),
        (rewrite(lambda expert: expert.tensors.update({"observation_mean": np.ones((5, 1))})), "vectors"),
        (bfloat16, "not an expert"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_a_remedy(path, damage, message_part):
    damage(path)
    with pytest.raises(UserError) as caught:
        read_expert(path, TASK)
    message = str(caught.value)
    assert message_part in message and str(path) in message and "expert: train" in message and "\n" not in message


def test_sizes_that_are_not_the_tasks_are_named(path):
    expert = make_expert(**FINISHED)
    check_sizes(path, expert, 5, 2)
    with pytest.raises(UserError, match=r"5 observations, but CartpoleBalance has 6 .*git checkout"):
        check_sizes(path, expert, 6, 2)
    with pytest.raises(UserError, match=r"2 actions, but CartpoleBalance has 1 .*delete the file and run snakemake again"):
        check_sizes(path, expert, 5, 1, RETRAIN)


def test_a_checkpoint_is_no_finished_expert(path):
    check_finished(path, make_expert(**FINISHED))
    with pytest.raises(UserError, match=r"does not say .*returns.*checkpoint"):
        check_finished(path, read_expert(path, TASK))


def test_what_is_shipped_is_what_the_list_says():
    files = {path.name for path in SHIPPED.glob("*.safetensors")}
    assert files == set(SUMS) and files
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 5e6


@pytest.mark.parametrize("name", sorted(SUMS))
def test_a_shipped_expert_is_whole_and_says_where_it_comes_from(name):
    path = SHIPPED / name
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SUMS[name]
    task, _, seed = path.stem.partition("-")
    expert = read_expert(path, task)
    provenance = expert.provenance
    assert provenance["seed"] == int(seed) and provenance["steps"] >= 100_000
    assert {"settings", "versions", "hardware", "returns", "git_commit", "history"} <= provenance.keys()
    assert path.stem in WITHOUT_COMMIT or re.fullmatch("[0-9a-f]{40}", provenance["git_commit"]), "not from a commit"
    returns = provenance["returns"]
    assert returns["episodes"] >= 32
    for policy in ("stochastic", "deterministic", "coloured", "noise", "zero"):
        values = np.array(returns[policy]["each"])
        assert len(values) == returns["episodes"]
        assert returns[policy]["mean"] == pytest.approx(values.mean(), abs=0.01)
        assert returns[policy]["std"] == pytest.approx(values.std(ddof=1), abs=0.01)
    assert not any(name.startswith("value/") for name in expert.tensors)


@pytest.mark.parametrize("name", sorted(SUMS))
def test_a_shipped_expert_was_made_with_the_recipe_of_its_task(name):
    from dynamic_sparsity.settings.training import TrainingSettings
    from dynamic_sparsity.simulation.recipes import ppo_settings

    provenance = read_expert(SHIPPED / name).provenance
    made_with = {"shortest_episode": 0, **provenance["settings"]}  # some are older than this setting; 0 means none
    recipe = ppo_settings(provenance["task"], TrainingSettings())
    # Some were trained for up to 2 % more steps, before the recipe asked for whole batches.
    assert made_with.pop("num_timesteps") == pytest.approx(recipe.pop("num_timesteps"), rel=0.02)
    assert made_with == recipe
