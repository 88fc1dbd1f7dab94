"""Cores, XLA switches and precision, each in a process of its own."""

import os
import select
import subprocess
import sys

import pytest

from dynamic_sparsity.runtime.jax_setup import FASTER_FUSED
from dynamic_sparsity.tasks.names import DM_CONTROL_SUITE

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pinning is Linux only")
ALL_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def python(code, affinity=None, **environment):
    """A process that runs `code` bound to the cores `affinity` (default: all)."""
    env = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_PLATFORMS")}
    bound = f"import os; os.sched_setaffinity(0, {affinity or set(range(os.cpu_count() or 1))})\n{code}"
    command = [sys.executable, "-c", bound]
    return subprocess.Popen(command, env={**env, **environment}, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


CLAIM = "import os; from dynamic_sparsity.runtime import cores; print(sorted(cores.claim_cores(1)), flush=True); input()"


@pytest.fixture
def cores():
    """All cores of the machine, although the suite's own process is pinned to one."""
    all_cores = set(range(os.cpu_count() or 1))
    if len(all_cores) < 2:
        pytest.skip("one core")
    return all_cores


def test_processes_that_claim_a_core_get_different_ones_and_let_go(cores, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    first, second = python(CLAIM, {0, 1}), python(CLAIM, {0, 1})
    claimed = [first.stdout.readline(), second.stdout.readline()]
    assert sorted(claimed) == ["[0]\n", "[1]\n"]
    third = python(CLAIM, {0, 1})
    assert third.stdout.readline() in claimed, "if no core is free, a process shares one and does not wait"
    first.kill()
    first.wait()
    fourth = python(CLAIM, {0, 1})
    assert fourth.stdout.readline() == claimed[0], "a killed process has let go of its core"
    for process in (second, third, fourth):
        process.communicate("\n")


def test_a_schedulers_binding_is_respected(cores, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = python(CLAIM, {1})
    assert process.communicate("\n")[0] == "[1]\n"


def test_one_job_per_device(tmp_path):
    claim = CLAIM.replace("sorted(cores.claim_cores(1))", "cores.claim_device(), os.environ['CUDA_VISIBLE_DEVICES']")
    environment = {"TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0, GPU-5a ,-1,1"}
    first, second, third = python(claim, **environment), python(claim, **environment), python(claim, **environment)
    of_slurm_job = python(claim, **environment, SLURM_JOB_ID="17")
    assert of_slurm_job.stdout.readline() == "0 0\n", "a scheduler's jobs have devices of their own, whatever their names"
    waiting, names = {process.stdout: process for process in (first, second, third)}, {}
    while waiting:
        for output in select.select(list(waiting), [], [])[0]:
            names[output.readline()] = waiting.pop(output)
    message = "waiting for a device: other processes of this study use 0, GPU-5a\n"
    assert sorted(names) == ["0 0\n", "GPU-5a GPU-5a\n", message]
    output = names[message].stdout
    assert not select.select([output], [], [], 2)[0], "the third waits and prints that once"
    names["0 0\n"].kill()
    assert output.readline() == "0 0\n"
    for process in (names["GPU-5a GPU-5a\n"], names[message], of_slurm_job):
        process.communicate("\n")


@pytest.mark.parametrize("visible", ["", "-1", " -1,0", ","])
def test_without_a_device_none_is_claimed(tmp_path, visible):
    claim = "from dynamic_sparsity.runtime import cores; print(cores.claim_device())"
    assert python(claim, TMPDIR=str(tmp_path), CUDA_VISIBLE_DEVICES=visible).communicate()[0] == "None\n"


def test_jax_is_configured_before_it_is_imported():
    code = (
        "from dynamic_sparsity.runtime import jax_setup; jax_setup.configure_jax(double_precision=True)\n"
        "import os, jax; print(os.environ['XLA_FLAGS'], jax.numpy.ones(1).dtype, len(os.sched_getaffinity(0)))"
    )
    output = python(code, XLA_FLAGS="--xla_cpu_multi_thread_eigen=true").communicate()[0]
    assert output == "--xla_cpu_multi_thread_eigen=true --xla_cpu_use_fusion_emitters=false float64 1\n"


def test_the_users_own_switch_wins():
    code = (
        "import os; from dynamic_sparsity.runtime import jax_setup\n"
        "jax_setup._set_xla_flags(False); print(os.environ.get('XLA_FLAGS'))"
    )
    flag = "--xla_cpu_use_fusion_emitters=true"
    assert python(code, XLA_FLAGS=flag).communicate()[0] == f"{flag}\n"
    assert python(code, JAX_PLATFORMS="cuda").communicate()[0] == "None\n"


def test_large_batches_keep_xlas_own_fusion():
    code = (
        "import os; from dynamic_sparsity.runtime import jax_setup\n"
        "jax_setup._set_xla_flags({}); print(os.environ.get('XLA_FLAGS'))"
    )
    assert python(code.format(True)).communicate()[0] == "None\n"
    assert "fusion_emitters=false" in python(code.format(False)).communicate()[0]
    assert set(FASTER_FUSED) <= set(DM_CONTROL_SUITE)


def test_a_jaxlib_that_may_not_know_the_switch_does_not_get_it():
    code = (
        "import importlib.metadata as m, os; m.version = lambda name: '0.99.0'\n"
        "from dynamic_sparsity.runtime import jax_setup; jax_setup._set_xla_flags(False); print(os.environ.get('XLA_FLAGS'))"
    )
    assert python(code).communicate()[0] == "None\n"


@pytest.mark.parametrize(("platform", "precision"), [("cpu", None), ("cuda", "highest"), ("gpu,cpu", "highest")])
def test_an_accelerator_multiplies_in_full_precision(tmp_path, platform, precision):
    code = (
        "from dynamic_sparsity.runtime import jax_setup; jax_setup.configure_jax(accelerator=True)\n"
        "import jax; print(jax.config.jax_default_matmul_precision)"
    )
    environment = {"JAX_PLATFORMS": platform, "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(tmp_path)}
    assert python(code, **environment).communicate()[0] == f"{precision}\n"


@pytest.mark.parametrize("newer", [False, True])
def test_precision_within_a_block_by_either_name_of_jaxs_switch(newer):
    code = (
        "from dynamic_sparsity.runtime import jax_setup; jax_setup.configure_jax(double_precision=True)\n"
        "import jax, jax.experimental, jax.numpy as jnp\n"
        f"if {newer} and not hasattr(jax, 'enable_x64'):\n"
        "    jax.enable_x64 = jax.experimental.enable_x64; del jax.experimental.enable_x64\n"
        "with jax_setup.in_precision(double=False): print(jnp.ones(1).dtype)\n"
        "with jax_setup.in_precision(double=True): print(jnp.ones(1).dtype)\n"
        "print(jnp.ones(1).dtype)"
    )
    assert python(code).communicate()[0].split() == ["float32", "float64", "float64"]


def test_trimesh_is_imported_where_there_is_a_mesh():
    code = (
        "from dynamic_sparsity.runtime import jax_setup; jax_setup.configure_jax()\n"
        "import sys, mujoco; from mujoco import mjx\n"
        "print('trimesh.base' in sys.modules)\n"
        'mesh = \'<mesh name="m" vertex="0 0 0  1 0 0  0 1 0  0 0 1"/>\'\n'
        'body = \'<body><freejoint/><geom type="mesh" mesh="m"/></body><geom type="plane" size="1 1 1"/>\'\n'
        "xml = f'<mujoco><asset>{mesh}</asset><worldbody>{body}</worldbody></mujoco>'\n"
        "model = mjx.put_model(mujoco.MjModel.from_xml_string(xml))\n"
        "import trimesh; print(trimesh.base.__name__, trimesh.Trimesh.__module__)"
    )
    assert python(code).communicate()[0].splitlines()[-2:] == ["False", "trimesh.base trimesh.base"]


def test_too_late_is_an_error():
    code = (
        "import jax; from dynamic_sparsity.runtime import jax_setup\n"
        "try: jax_setup.configure_jax()\nexcept RuntimeError as error: print(error)"
    )
    assert "before jax is imported" in python(code).communicate()[0]
