"""Traced programs: made once, keyed by what they depend on, rebuilt when damaged."""

import os
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

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


PROCESS = """
from dynamic_sparsity import runtime
runtime.configure_jax()
import jax
from dynamic_sparsity.simulation import programs
build = lambda: (lambda x: (2 * x,), (jax.numpy.ones(3),))
program = programs.load_program("double", build, owner="dynamic_sparsity.errors")
print(program(jax.numpy.ones(3))[0], jax.jit(lambda x: x @ x)(jax.numpy.ones(3)))
"""


def process(cache):
    environment = {**os.environ, "DYNAMIC_SPARSITY_CACHE": str(cache)}
    return subprocess.Popen([sys.executable, "-c", PROCESS], env=environment, stdout=subprocess.PIPE, text=True)


def test_damaged_compiled_programs_are_compiled_again_and_replaced(tmp_path):
    first = process(tmp_path).communicate()[0]
    entries = list((tmp_path / "compiled").rglob("*-cache"))
    assert len(entries) > 1 and any("lambda" in entry.name for entry in entries)
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-20])
    again, then = (process(tmp_path).communicate()[0] for _ in range(2))
    assert again.count("is damaged: compiling") >= 2 and again.splitlines()[-1] == first.splitlines()[-1]
    assert "damaged" not in then and then.splitlines()[-1] == first.splitlines()[-1]


def test_concurrent_jobs_and_a_killed_one_do_not_corrupt_the_cache(tmp_path):
    several = [process(tmp_path) for _ in range(3)]
    killed = process(tmp_path)
    while not list((tmp_path / "compiled").rglob("*-cache")):
        time.sleep(0.01)
    killed.kill()
    outputs = [each.communicate()[0] for each in several]
    assert not any(each.returncode for each in several)
    process(tmp_path).communicate()  # mends what the killed one left, if it did
    last = process(tmp_path).communicate()[0]
    assert "damaged" not in last and "traced" not in last
    assert {output.splitlines()[-1] for output in [*outputs, last]} == {last.splitlines()[-1]}


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
