"""Traced programs: traced once, keyed by what they depend on, traced again when damaged."""

import os
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache
from numcodecs import Zstd

from dynamic_sparsity.runtime.cache import cache_directory, compiled_directory, mend_compile_cache
from dynamic_sparsity.simulation import programs


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNAMIC_SPARSITY_CACHE", str(tmp_path))
    # jax adds its options to the class at run time.
    before = jax.config.jax_compilation_cache_dir  # ty: ignore[missing-attribute]
    yield tmp_path / "traced"
    if jax.config.jax_compilation_cache_dir != before:  # ty: ignore[missing-attribute]
        jax.config.update("jax_compilation_cache_dir", before)
        compilation_cache.reset_cache()


class Build:
    """Builds x -> factor * cholesky(x) and counts how often."""

    def __init__(self, factor=2.0):
        self.times, self.factor = 0, factor

    def __call__(self):
        self.times += 1
        return lambda x: (self.factor * jnp.linalg.cholesky(x),), (np.eye(3),)


def load(build, **identity):
    """Loads the program as a new process would."""
    programs._LOADED.clear()
    return programs.load_program("double", build, modules=["dynamic_sparsity.simulation.noise"], **identity)


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
    assert programs.load_program("double", Build(), modules=["dynamic_sparsity.simulation.noise"]) is first


PROCESS = """
from dynamic_sparsity.runtime import jax_setup
jax_setup.configure_jax()
import jax
from dynamic_sparsity.simulation import programs
build = lambda: (lambda x: (2 * x,), (jax.numpy.ones(3),))
program = programs.load_program("double", build, modules=["dynamic_sparsity.settings.base"])
print(program(jax.numpy.ones(3))[0], jax.jit(lambda x: x @ x)(jax.numpy.ones(3)))
"""


def process(cache):
    environment = {**os.environ, "DYNAMIC_SPARSITY_CACHE": str(cache)}
    return subprocess.Popen([sys.executable, "-c", PROCESS], env=environment, stdout=subprocess.PIPE, text=True)


def entries_of(cache):
    return sorted((cache / "compiled").rglob("*-cache"))


def cut(entry, age=120):
    """Cuts an entry as a job leaves it that was killed `age` seconds ago."""
    entry.write_bytes(entry.read_bytes()[:-20])
    modified = time.time() - age
    os.utime(entry, (modified, modified))


def test_damaged_compiled_programs_are_compiled_again_and_replaced(tmp_path):
    first = process(tmp_path).communicate()[0]
    entries = entries_of(tmp_path)
    assert len(entries) > 1 and any("lambda" in entry.name for entry in entries)
    for entry in entries:
        cut(entry)
    again, then = (process(tmp_path).communicate()[0] for _ in range(2))
    assert again.count("is damaged: compiling") >= 2 and again.splitlines()[-1] == first.splitlines()[-1]
    assert "damaged" not in then and then.splitlines()[-1] == first.splitlines()[-1]


def test_a_cache_that_moves_keeps_what_it_has(tmp_path):
    first, _ = (process(tmp_path / "old").communicate()[0] for _ in range(2))  # traced, then read
    moved = (tmp_path / "old").rename(tmp_path / "new")
    entries = entries_of(moved)
    assert process(moved).communicate()[0].splitlines()[-1] == first.splitlines()[-1]
    assert entries_of(moved) == entries, "nothing was compiled again"


def test_the_cache_is_one_for_all_studies_of_a_user(tmp_path, monkeypatch):
    monkeypatch.delenv("DYNAMIC_SPARSITY_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for xdg_cache, expected in (
        ("", tmp_path / ".cache/dynamic-sparsity"),
        ("relative", tmp_path / ".cache/dynamic-sparsity"),
        (str(tmp_path / "mine"), tmp_path / "mine/dynamic-sparsity"),
    ):
        monkeypatch.setenv("XDG_CACHE_HOME", xdg_cache)
        assert cache_directory() == expected
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == tmp_path / ".cache/dynamic-sparsity"
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert cache_directory() == Path(".cache").absolute(), "a home that cannot be written"
    monkeypatch.setenv("DYNAMIC_SPARSITY_CACHE", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"


def warn(text):
    """Warns as jax does in a job."""
    mend_compile_cache()
    warnings.warn(text, stacklevel=1)


def test_only_old_entries_that_are_damaged_go(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DYNAMIC_SPARSITY_CACHE", str(tmp_path))
    directory, content = compiled_directory(), bytes(range(256)) * 40
    directory.mkdir(parents=True)
    complete, zstd = zlib.compress(content), Zstd().encode(content)
    written = {
        "whole": complete,
        "zstd": zstd,
        "cut": complete[:-5],
        "cutzstd": zstd[:-5],
        "empty": b"",
        "young": complete[:-5],
    }
    for name, entry in written.items():
        path = directory / f"jit_call-{name}-cache"
        path.write_bytes(entry)
        modified = time.time() - (5 if name == "young" else 120)
        os.utime(path, (modified, modified))
    (directory / "jit_other-cut-cache").write_bytes(b"")
    os.utime(directory / "jit_other-cut-cache", (0, 0))
    with warnings.catch_warnings():
        warn("Error reading persistent compilation cache entry for 'jit_call': error: incomplete or truncated stream")
    assert {path.name.split("-")[1] for path in directory.glob("jit_call-*")} == {"whole", "zstd", "young"}
    assert (directory / "jit_other-cut-cache").exists()
    assert "is damaged: compiling jit_call again" in capsys.readouterr().out


def test_another_warning_is_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNAMIC_SPARSITY_CACHE", str(tmp_path))
    with pytest.warns(UserWarning, match="something else"):
        warn("something else")


def test_concurrent_jobs_and_a_killed_one_do_not_corrupt_the_cache(tmp_path):
    process(tmp_path).communicate()
    damaged, *deleted = entries_of(tmp_path)
    cut(damaged)
    for entry in deleted:  # several processes write them at once
        entry.unlink()
    several = [process(tmp_path) for _ in range(3)]
    killed = process(tmp_path)
    deadline = time.monotonic() + 120
    while not set(entries_of(tmp_path)) - {damaged}:
        assert time.monotonic() < deadline, "nobody writes an entry"
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    outputs = [job.communicate()[0] for job in several]
    assert not any(job.returncode for job in several)
    assert any("is damaged: compiling" in output for output in outputs)
    for entry in entries_of(tmp_path):
        modified = time.time() - 120
        os.utime(entry, (modified, modified))
    process(tmp_path).communicate()  # replaces what the killed job left, if anything
    last = process(tmp_path).communicate()[0]
    assert "damaged" not in last and "traced" not in last
    assert {output.splitlines()[-1] for output in [*outputs, last]} == {last.splitlines()[-1]}


def test_kinds_of_machines_share_no_compiled_programs(monkeypatch):
    """A kind is the processor's model and features, not its number of cores or their current speed."""

    def directory(text):
        monkeypatch.setattr(Path, "read_text", lambda path: text if path == Path("/proc/cpuinfo") else None)
        return compiled_directory()

    core = "processor: {}\nmodel name: {}\ncpu MHz: {}\nflags: fpu {}\n"
    machine = directory(core.format(0, "A", 2000, "avx2"))
    assert directory(core.format(0, "A", 2500, "avx2") + core.format(1, "A", 2100, "avx2")) == machine
    other_machines = {directory(core.format(0, "B", 2000, "avx2")), directory(core.format(0, "A", 2000, "avx2 avx512f"))}
    assert len(other_machines | {machine}) == 3


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
