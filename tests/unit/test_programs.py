"""Traced programs: made once, keyed by what they depend on, rebuilt when damaged."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from dynamic_sparsity.runtime import compiled_directory
from dynamic_sparsity.simulation import programs


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNAMIC_SPARSITY_CACHE", str(tmp_path))
    before = jax.config.jax_compilation_cache_dir
    yield tmp_path / "traced"
    if jax.config.jax_compilation_cache_dir != before:
        jax.config.update("jax_compilation_cache_dir", before)
        compilation_cache.reset_cache()


class Build:
    """Counts how often it is asked to build x -> factor * cholesky(x)."""

    def __init__(self, factor=2.0):
        self.times, self.factor = 0, factor

    def __call__(self):
        self.times += 1
        return lambda x: (self.factor * jnp.linalg.cholesky(x),), (np.eye(3),)


def load(build, **identity):
    """As a new process would."""
    programs._LOADED.clear()
    return programs.load_program("double", build, owner="dynamic_sparsity.simulation.noise", **identity)


def test_a_program_is_traced_once_and_then_loaded(cache):
    build = Build()
    matrix = np.diag([4.0, 9.0, 16.0])
    for _ in range(2):
        np.testing.assert_array_equal(load(build, task="a")(matrix)[0], np.diag([4.0, 6.0, 8.0]))
    assert build.times == 1
    load(build, task="b")
    assert build.times == 2, "another identity is another program"


def test_a_change_of_code_or_precision_is_another_program(cache, monkeypatch):
    build = Build()
    load(build)
    monkeypatch.setattr(programs.sources, "digest", lambda *modules: "edited")
    load(build)
    assert build.times == 2
    monkeypatch.setattr(programs.jax.config, "read", lambda name: False)
    load(build)
    assert build.times == 3


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-5], lambda content: content[::-1]])
def test_a_damaged_program_is_traced_again(cache, damage):
    build = Build()
    load(build)
    (file,) = cache.glob("*.stablehlo")
    file.write_bytes(damage(file.read_bytes()))
    np.testing.assert_array_equal(load(build)(np.eye(3))[0], 2 * np.eye(3))
    assert build.times == 2
    load(build)
    assert build.times == 2, "and kept"


def test_one_process_loads_a_program_once(cache):
    first = load(Build())
    assert programs.load_program("double", Build(), owner="dynamic_sparsity.simulation.noise") is first


def test_a_damaged_compiled_program_is_compiled_again_and_replaced(cache, capsys):
    compiled = compiled_directory()
    jax.config.update("jax_compilation_cache_dir", str(compiled))
    compilation_cache.reset_cache()
    build = Build()
    load(build)
    (entry,) = compiled.glob("jit_call-*-cache")
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2])
    jax.clear_caches()
    np.testing.assert_array_equal(load(build)(np.eye(3))[0], 2 * np.eye(3))
    assert "damaged: compiling again" in capsys.readouterr().out
    jax.clear_caches()
    load(build)
    assert "damaged" not in capsys.readouterr().out, "it was replaced"
    assert build.times == 1


def test_the_least_recently_used_files_go_when_the_cache_is_full(tmp_path):
    for age, name in enumerate("abcd"):
        path = tmp_path / name / "program"
        path.parent.mkdir()
        path.write_bytes(bytes(10))
        os.utime(path, (1000 - age, 1000 - age))
    programs.trim(tmp_path, limit=25)
    assert sorted(path.parent.name for path in tmp_path.rglob("program")) == ["a", "b"]
    programs.trim(tmp_path, limit=25)
    assert len(list(tmp_path.rglob("program"))) == 2
