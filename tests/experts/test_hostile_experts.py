"""Hostile expert files: whatever a file holds, reading it gives a sound expert or one UserError.

An attacker can compute checksums, so damaged files get correct checksums here.
"""

import contextlib
import copy
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.numpy import save

from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.experts import expert as experts
from dynamic_sparsity.experts import shipped as shipped_experts
from tests.helpers.experts import FINISHED, TASK, make_expert
from tests.helpers.hostile import (
    ANYTHING,
    GONE,
    MUTATIONS,
    SECRET,
    VALUES,
    answer,
    command,
    directory,
    mutated,
    nested,
    nothing_secret_opened,
)

ROOT = Path(__file__).resolve().parents[2]
REPORTED = ROOT / "resources/paper/playground_returns.csv"


def read_all_ways(path):
    """Reads one expert in every way there is, and computes with it if it passes as sound."""
    expert = answer(path, lambda: experts.read_expert(path))
    assert (command(path, "inspect", str(path)) is None) == (expert is not None)
    assert (command(path, "verify", str(path)) is None) == (expert is not None)
    answer(path, lambda: experts.read_expert(path, TASK))
    if expert is None:
        return None
    answer(path, lambda: experts.check_sizes(path, expert, 5, 2))
    hidden = np.zeros(expert.observation_size)
    for kernel, bias in expert.layers:
        hidden = hidden @ kernel + bias
    assert hidden.shape == (2 * expert.provenance["action_size"],)
    with contextlib.suppress(UserError):
        experts.check_finished(path, expert)
        assert command(path, "experts", "--directory", str(path.parent), "--reported", str(REPORTED)) is None
        return expert
    assert command(path, "experts", "--directory", str(path.parent), "--reported", str(REPORTED))
    return expert


def finished():
    return make_expert(**copy.deepcopy(FINISHED))


def written(content):
    @contextlib.contextmanager
    def place():
        with directory() as folder:
            path = folder / "a.safetensors"
            path.write_bytes(content)
            yield path

    return place()


def as_file(expert):
    with directory() as folder:
        experts.write_expert(folder / "a.safetensors", expert)
        return (folder / "a.safetensors").read_bytes()


WHOLE = as_file(finished())


def test_what_is_not_damaged_is_read():
    with written(WHOLE) as path:
        assert read_all_ways(path) is not None


@given(st.binary(max_size=200))
def test_bytes_are_no_expert(content):
    with written(content) as path:
        assert read_all_ways(path) is None


@given(st.integers(0, len(WHOLE)), st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255)), max_size=4))
def test_a_cut_or_flipped_expert(end, flips):
    content = bytearray(WHOLE)
    for place, mask in flips:
        content[place] ^= mask
    with written(bytes(content[:end])) as path:
        assert read_all_ways(path) is None or bytes(content[:end]) == WHOLE


SIZES = st.sampled_from([0, 1, 2, 3, 2**31, 2**40, 2**63, 2**64 - 1, 10**30, -1])
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F64", "F16", "BF16", "I8", "BOOL", "U64", "F8_E4M3", "C64", "F4", "XX"]),
        "shape": st.lists(SIZES, max_size=5) | st.just([1] * 70),
        "data_offsets": st.tuples(SIZES, SIZES) | st.sampled_from([[0, 0], [0, 4], [0, 8]]),
    }
)
TENSOR_NAMES = st.sampled_from(
    ["observation_mean", "observation_std", "policy/0/kernel", "policy/0/bias", "__metadata__", "x"]
)


@given(st.dictionaries(TENSOR_NAMES, ENTRY | ANYTHING, max_size=4), st.none() | SIZES, st.integers(0, 16), st.booleans())
@example({"x": {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}}, None, 0, True)
@example({"x": {"dtype": "F32", "shape": [1] * 70, "data_offsets": [0, 4]}}, None, 4, True)
def test_a_header_that_announces_anything(entries, length, body, claims):
    if claims:
        entries = {"__metadata__": {"expert": "{}"}, **entries}
    header = json.dumps(entries).encode()
    announced = len(header) if length is None or not 0 <= length < 2**64 else length
    with written(struct.pack("<Q", announced) + header + bytes(body)) as path:
        assert read_all_ways(path) is None


@given(MUTATIONS)
@example([(0, GONE)])
def test_provenance_that_says_anything(mutations):
    expert = finished()
    provenance = mutated(expert.provenance, mutations)
    with directory() as folder:
        path = folder / "a.safetensors"
        experts.write_expert(path, experts.Expert(expert.tensors, provenance))
        read_all_ways(path)


@pytest.mark.parametrize("value", VALUES, ids=quoted)
@pytest.mark.parametrize("key", ["task", "seed", "network", "action_size", "observation_clip"])
def test_a_value_of_another_kind_is_one_message(key, value, tmp_path):
    """Such values must not pass: `2 * "5"` is "55", `True` is 1, and 10⁴⁰⁰ has no float."""
    path = tmp_path / "a.safetensors"
    experts.write_expert(path, make_expert(**{**FINISHED, key: value}))
    assert (read_all_ways(path) is not None) == (key == "observation_clip" and value == 1.5)


@pytest.mark.parametrize(
    "returns",
    [
        [],
        {},
        {**FINISHED["returns"], "noise": {"mean": "3", "std": 1.0, "each": [1, 2]}},
        {**FINISHED["returns"], "noise": {"mean": 3, "std": 1.0, "each": [1, 2, 3]}},
        {**FINISHED["returns"], "zero": {"mean": 3, "std": 1.0, "each": [[1], [2]]}},
        {**FINISHED["returns"], "steps": 0},
        {**FINISHED["returns"], "stochastic": {"mean": 10**300, "std": 1.0, "each": [1, 2]}},
    ],
    ids=quoted,
)
def test_returns_that_are_none_are_one_message(returns, tmp_path):
    path = tmp_path / "a.safetensors"
    experts.write_expert(path, make_expert(**{**FINISHED, "returns": returns}))
    expert = read_all_ways(path)
    with pytest.raises(UserError, match=r"a\.safetensors .*returns"):
        experts.check_finished(path, expert)


def provenance_of(expert):
    """The JSON text of an expert's provenance, with the checksum."""
    provenance = {**expert.provenance, "schema_version": experts.SCHEMA_VERSION}
    return json.dumps({**provenance, "sha256": experts._checksum(expert.tensors, provenance)})


def sealed(expert, text=None):
    """An expert's file as an attacker may write it: with any text as provenance, and scalars among its arrays."""
    return save(expert.tensors, metadata={"expert": provenance_of(expert) if text is None else text})


@pytest.mark.parametrize(
    "text", [nested(990), nested(10**5), f'{{"task": {nested(20)}}}', "1" * 5000, "[1, 2]", '"', "null"]
)
def test_provenance_that_is_no_shallow_mapping(text):
    with written(sealed(finished(), text)) as path:
        assert read_all_ways(path) is None


def test_of_two_equal_keys_the_last_one_counts_and_is_checked():
    lying = make_expert(**{**FINISHED, "action_size": True})
    text = provenance_of(lying)
    with written(sealed(lying, '{"action_size": 2, ' + text[1:])) as path:
        assert read_all_ways(path) is None
        with pytest.raises(UserError, match="action_size True"):
            experts.read_expert(path)


DTYPES = st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.uint64, np.bool_])
ARRAYS = st.builds(
    lambda shape, dtype, fill: np.full(shape, fill if np.dtype(dtype).kind == "f" else 1, dtype),
    st.lists(st.integers(0, 5), max_size=4),
    DTYPES,
    st.sampled_from([0, 1, -1, float("nan"), float("inf")]),
)
NAMES = (
    st.sampled_from(
        ["policy/", "policy//", "policy/0", "policy/x/kernel", "policy/-1/kernel", "policy/00/kernel", "policy/5/kernel"]
    )
    | st.sampled_from(
        [
            "policy/0/kernel",
            "policy/1/bias",
            "policy/2/kernel",
            "policy/2/bias",
            "policy/0/kernel/more",
            "observation_mean",
            "observation_std",
        ]
    )
    | st.sampled_from(["value/0/kernel", "", "\x1b[2J", "a\nb"])
)


SCALAR = np.full((), 1, np.float32)


@given(st.dictionaries(NAMES, st.none() | ARRAYS, max_size=4))
@example({"policy/0/kernel": SCALAR})
@example({"observation_mean": SCALAR, "observation_std": SCALAR})
@example({"policy/2/bias": SCALAR})
@example({"policy/2/kernel": SCALAR, "policy/2/bias": SCALAR})
@example({"observation_mean": np.ones(0, np.float32), "observation_std": np.ones(0, np.float32)})
@example({"policy/0": np.ones(1, np.float32)})
@example({"policy/1/bias": np.ones(3, bool)})
def test_tensors_of_any_name_rank_and_type(changes):
    expert = finished()
    for name, array in changes.items():
        if array is None:
            expert.tensors.pop(name, None)
        else:
            expert.tensors[name] = array
    with written(sealed(expert)) as path:
        read_all_ways(path)


def test_an_expert_of_absurd_size_is_not_read(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(WHOLE)
    os.truncate(path, 2**40)  # a sparse file, which takes no disk space
    with pytest.raises(UserError, match=r"1099511627776 bytes"):
        experts.read_expert(path)


@pytest.mark.parametrize(
    "name", [f"../{SECRET}", f"/{SECRET}/FishSwim-0.safetensors", "FishSwim-x.safetensors", "a/FishSwim-0.safetensors", "x"]
)
def test_the_list_of_shipped_experts_leads_nowhere_else(name, tmp_path):
    (tmp_path / SECRET).write_bytes(WHOLE)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / shipped_experts.LIST).write_text(f"{'0' * 64}  {name}\n")
    with nothing_secret_opened(), pytest.raises(UserError, match=r"SHA256SUMS.* has the line .*TASK-SEED.safetensors"):
        shipped_experts.of_tasks(tmp_path / "policies", ["FishSwim"])


@given(st.binary(max_size=80) | st.text(st.characters(), max_size=80).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_list_of_shipped_experts(content):
    with directory() as folder:
        (folder / shipped_experts.LIST).write_bytes(content)
        with contextlib.suppress(UserError):
            shipped_experts.of_tasks(folder, ["FishSwim"])
