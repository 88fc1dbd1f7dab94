"""Which room may import which, which code each stage depends on, and names that must agree."""

import ast
import os
import re
import shutil
from pathlib import Path

import pytest

from dynamic_sparsity.runtime import sources
from dynamic_sparsity.tasks import sizes as task_sizes
from dynamic_sparsity.tasks.names import DM_CONTROL_SUITE, WITH_ORIENTATIONS
from tests.helpers.source import PACKAGE, SOURCE

STAGES = sorted(path.stem for path in (PACKAGE / "stages").glob("[!_]*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: imports are absolute here"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def modules_of(room):
    names = [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in (PACKAGE / room).rglob("*.py")]
    return [name.removesuffix(".__init__") for name in names]


LOW = {"errors", "tasks", "settings", "files", "runtime"}
ROOMS = {
    "errors": set(),
    "tasks": {"errors"},
    "settings": {"errors", "tasks"},
    "files": {"errors"},
    "runtime": {"errors", "files"},
    "study": {"errors", "tasks", "settings", "runtime"},
    "definitions": {"errors"},
    "stores": LOW,
    "experts": LOW | {"stores"},
    "simulation": LOW | {"stores", "experts"},
    "sparsity": LOW | {"stores", "definitions"},
    "world_models": LOW | {"stores", "definitions"},
    "tables": LOW | {"stores", "definitions"},
    "figures": LOW | {"stores", "definitions"},
}
"""The rooms that each room may import. `stages` and `cli` may import all, and no room imports these."""


def test_every_room_has_walls():
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms - {"__init__", "cli", "stages"} == ROOMS.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_above_it(room):
    for path in [*(PACKAGE / room).rglob("*.py"), *PACKAGE.glob(f"{room}.py")]:
        parts = [name.split(".") for name in imported(path) if name.startswith("dynamic_sparsity.")]
        others = {part[1] for part in parts} - {room, "__version__"}
        assert others <= ROOMS[room], path


@pytest.mark.parametrize("part", ["sparsity", "figures", "tables"])
def test_jax_never_reaches(part):
    for path in sources.closure(*modules_of(part)):
        heavy = {name.partition(".")[0] for name in imported(path)} & {"jax", "mujoco", "mujoco_playground"}
        assert not heavy, f"{path} imports {heavy}"


HEAVY = {"jax", "flax", "brax", "mujoco", "mujoco_playground", "safetensors", "zarr", "xarray", "numpy", "pandas"}
HEAVY |= {"matplotlib", "scipy", "sklearn"}


@pytest.mark.parametrize("room", ["settings", "study", "tasks"])
def test_these_import_nothing_heavy(room):
    for path in sources.closure(*modules_of(room)):
        top = {name.partition(".")[0] for name in imported(path)}
        assert not top & HEAVY, path


def test_mjx_s_private_modules_are_imported_in_one_place():
    importing = {path.name for path in PACKAGE.rglob("*.py") if any("mjx._src" in name for name in imported(path))}
    assert importing == {"mjx_private.py"}


def test_snakemake_is_imported_nowhere():
    for path in PACKAGE.rglob("*.py"):
        assert not any(name.partition(".")[0] == "snakemake" for name in imported(path)), path


UPSTREAM = {"base", "policies", "training", "rollouts"}
MASKS = UPSTREAM | {"jacobians", "sparsity"}
MODELS = MASKS | {"resampling", "tasks", "world_models"}
WRITING = {"attributes", "digests", "encoding", "provenance", "schema", "writing"}
READING = {"runs", "schema"}
BOTH = READING | WRITING
CODE = {
    "policies": ({"experts", "runtime", "simulation"}, {"base", "policies", "training"}, set(), WRITING),
    "rollouts": ({"experts", "runtime", "simulation"}, UPSTREAM, set(), WRITING),
    "jacobians": ({"runtime", "simulation", "tasks"}, UPSTREAM | {"jacobians"}, {"_inputs", "_replay"}, BOTH),
    "ablation_jacobians": (
        {"runtime", "simulation"},
        MASKS | {"ablation", "resampling", "tasks"},
        {"_inputs", "_replay"},
        BOTH,
    ),
    "ablation": ({"definitions", "runtime", "sparsity"}, MASKS | {"ablation", "resampling", "tasks"}, {"_inputs"}, BOTH),
    "structure": ({"runtime", "simulation"}, UPSTREAM | {"jacobians", "structure"}, {"_inputs"}, BOTH),
    "sparsity": ({"definitions", "runtime", "sparsity"}, MASKS, {"_inputs"}, BOTH),
    "durations": ({"runtime", "sparsity"}, MASKS, {"_inputs"}, BOTH),
    "summary": ({"definitions", "runtime", "sparsity"}, MASKS | {"resampling"}, {"_inputs"}, BOTH),
    "survival": ({"runtime", "sparsity"}, MASKS | {"resampling"}, {"_inputs"}, BOTH),
    "patterns": ({"runtime", "sparsity"}, MASKS | {"resampling", "temporal"}, {"_inputs"}, BOTH),
    "horizons": ({"definitions", "runtime", "sparsity"}, MASKS | {"horizons", "resampling"}, {"_inputs"}, BOTH),
    "clustering": ({"runtime", "sparsity"}, MASKS | {"resampling", "temporal"}, {"_inputs"}, BOTH),
    "interventions": (
        {"definitions", "runtime", "simulation", "sparsity"},
        MASKS | {"interventions", "resampling"},
        {"_inputs"},
        BOTH,
    ),
    "embedding": ({"definitions", "runtime", "sparsity"}, MASKS | {"embedding", "tasks"}, {"_inputs"}, BOTH),
    "frames": ({"runtime", "simulation"}, MASKS | {"embedding", "frames", "tasks"}, {"_inputs"}, BOTH),
    "world_models": ({"runtime", "simulation", "tasks", "world_models"}, MODELS, {"_inputs", "_world_models"}, BOTH),
    "recovery": (
        {"definitions", "runtime", "sparsity", "world_models"},
        MODELS,
        {"_inputs", "_world_models"},
        BOTH,
    ),
    "table": ({"definitions", "tables"}, MODELS | {"ablation", "interventions", "tables"}, {"_inputs"}, READING),
    "figure": ({"definitions", "figures"}, MODELS | {"ablation", "figures"}, {"_inputs"}, READING),
}
"""Code that can change a stage's result: rooms, sections of settings, shared modules of stages, modules of stores."""


@pytest.mark.parametrize("stage", STAGES)
def test_no_other_code_can_change_what_a_stage_computes(stage):
    """The stages table and figure are tested with all tables and figures together."""
    products = (PACKAGE / f"{stage}s").glob("[!_]*.py") if stage in ("table", "figure") else []
    modules = [f"dynamic_sparsity.stages.{stage}", *(f"dynamic_sparsity.{stage}s.{path.stem}" for path in products)]
    paths = sources.closure(*modules, without=sources.NO_RESULT)
    files = [path.relative_to(PACKAGE) for path in paths if path.name != "__init__.py"]
    of = {room: {file.stem for file in files if file.parts[0] == room} for room in ("settings", "stages", "stores")}
    rooms, sections, shared, stores = CODE[stage]
    assert {file.parts[0] for file in files} - of.keys() == rooms
    assert of["settings"] == sections
    assert of["stages"] - {stage} == shared
    assert of["stores"] <= stores


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_loads_the_checks_of_files_from_others(stage):
    names = {path.name for path in sources.closure(f"dynamic_sparsity.stages.{stage}")}
    assert not names & {"untrusted.py", "bounded.py", "verification.py"}


def test_a_stage_s_code_holds_what_it_imports_indirectly():
    paths = sources.closure("dynamic_sparsity.stages.jacobians", without=sources.NO_RESULT)
    names = {path.relative_to(PACKAGE).as_posix() for path in paths}
    assert {"simulation/coordinates.py", "simulation/stagewise/step.py", "stages/__init__.py"} <= names
    assert not names & {"simulation/noise.py", "simulation/policies/base.py", "settings/world_models.py", "tasks/names.py"}


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_the_closure_holds_every_package_module_that_running_the_stage_loads(stage):
    import subprocess
    import sys

    code = (
        f"import sys, dynamic_sparsity.stages.{stage}\n"
        "print('\\n'.join(m.__file__ for n, m in sys.modules.items() if n.startswith('dynamic_sparsity')))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {Path(file) for file in loaded} <= set(sources.closure(f"dynamic_sparsity.stages.{stage}"))


@pytest.fixture
def edited(tmp_path):
    """A function that says whether the digest of a stage changes when the text of a module is edited."""
    shutil.copytree(PACKAGE, tmp_path / "dynamic_sparsity", ignore=shutil.ignore_patterns("__pycache__"))

    def changes(module, edit, stage="sparsity"):
        before = sources.digest(f"dynamic_sparsity.stages.{stage}", root=tmp_path)
        path = tmp_path / "dynamic_sparsity" / module
        content = path.read_text()
        assert edit(content) != content
        path.write_text(edit(content))
        after = sources.digest(f"dynamic_sparsity.stages.{stage}", root=tmp_path)
        path.write_text(content)
        return before != after

    return changes


@pytest.mark.parametrize(
    ("module", "changes"),
    [
        ("settings/base.py", True),
        ("definitions/zero.py", True),
        ("stores/encoding.py", True),
        ("figures/style.py", False),
        ("settings/world_models.py", False),
        ("errors.py", False),
        ("files/locks.py", False),
        ("stores/opening.py", False),
        ("stores/layout.py", False),
        ("stores/listed.py", False),
        ("stages/_common.py", False),
        ("tasks/names.py", False),
        ("__init__.py", False),
    ],
)
def test_the_digest_follows_indirect_edits_of_what_can_change_a_result(edited, module, changes):
    assert edited(module, lambda text: text + "\nCHANGED = True\n") == changes


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("import numpy as np\n", "import numpy as np  # a comment\n\n\n", False),
        (
            "return below(jacobian.drop_attrs(deep=False), threshold)",
            "return below(\n jacobian.drop_attrs(deep=False), threshold\n)",
            False,
        ),
        ("True where an entry's magnitude", "TRUE where an entry's magnitude", False),
        ("deep=False), threshold)", "deep=True), threshold)", True),
        ("Zero entries of a Jacobian", "Null entries of a Jacobian", False),
    ],
)
def test_the_digest_is_of_code_not_of_text(edited, old, new, changes):
    assert edited("sparsity/zeros.py", lambda text: text.replace(old, new)) == changes


@pytest.mark.parametrize(
    ("module", "stage", "before"),
    [
        ("stores/runs.py", "jacobians", 'raise UserError(\n                    f"'),
        ("settings/policies.py", "rollouts", 'description="'),
        ("settings/rollouts.py", "jacobians", 'description="'),
        ("experts/expert.py", "rollouts", 'raise UserError(f"'),
        ("simulation/noise.py", "policies", '-> Float[np.ndarray, "steps channels"]:\n    """'),
        ("stages/rollouts.py", "rollouts", 'help="'),
    ],
)
def test_messages_and_docstrings_rerun_nothing(edited, module, stage, before):
    assert not edited(module, lambda text: text.replace(before, f"{before}In other words: "), stage)


@pytest.mark.parametrize(("module", "counts"), [("tables.patterns", True), ("figures.survival", False)])
def test_only_the_docstring_of_a_table_counts_because_its_page_prints_it(tmp_path, module, counts):
    shutil.copytree(PACKAGE, tmp_path / "dynamic_sparsity", ignore=shutil.ignore_patterns("__pycache__"))
    before = sources.digest(f"dynamic_sparsity.{module}", root=tmp_path)
    path = tmp_path.joinpath("dynamic_sparsity", *module.split(".")).with_suffix(".py")
    path.write_text(path.read_text().replace('"""', '"""In other words: ', 1))
    assert (sources.digest(f"dynamic_sparsity.{module}", root=tmp_path) != before) == counts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f():\n    return 1\n", 'def f():\n    """One."""\n    return 1\n'),
        ("x = 1\n", 'x = 1\n"""Ones."""\n'),
        ("class A(B):\n    pass\n", 'class A(B):\n    """An A."""\n'),
        ('raise ValueError("a")\n', 'raise ValueError(f"b {x}") \n'),
    ],
)
def test_what_only_people_read_is_no_code(tmp_path, one, other):
    package = tmp_path / "dynamic_sparsity"
    package.mkdir()
    (package / "__init__.py").write_text("")
    digests = []
    for number, text in enumerate((one, other, "y = 2\n")):
        (package / "a.py").write_text(text)
        os.utime(package / "a.py", (number, number))
        digests.append(sources.digest("dynamic_sparsity.a", root=tmp_path))
    assert digests[0] == digests[1] != digests[2]


def test_every_module_that_cannot_change_a_result_is_there():
    for module in sources.NO_RESULT:
        assert sources.closure(module)


def test_relative_imports_count(tmp_path):
    package = tmp_path / "dynamic_sparsity"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from . import b\n")
    (package / "b.py").write_text("if False:\n    from .c import value\n")
    (package / "c.py").write_text("value = 1\n")
    files = sources.closure("dynamic_sparsity.a", root=tmp_path)
    assert [path.name for path in files] == ["__init__.py", "a.py", "b.py", "c.py"]
    with pytest.raises(ModuleNotFoundError):
        sources.closure("dynamic_sparsity.missing", root=tmp_path)


@pytest.mark.slow
def test_task_names_are_playgrounds():
    from mujoco_playground import dm_control_suite

    assert sorted(DM_CONTROL_SUITE) == sorted(dm_control_suite.ALL_ENVS)
    assert len(DM_CONTROL_SUITE) == 25


@pytest.mark.slow
def test_sizes_of_tasks_are_those_of_their_models():
    from dynamic_sparsity.simulation.tasks import load_task

    tasks = {name: load_task(name) for name in DM_CONTROL_SUITE}
    assert {name for name, task in tasks.items() if task.model.nq != task.model.nv} == WITH_ORIENTATIONS
    for name, task in tasks.items():
        size = task_sizes.DM_CONTROL_SUITE[name]
        assert size[:4] == (task.model.nv, task.model.na, task.model.nu, task.substeps), name
        assert size.inputs == len(task.coordinates.input_labels) and size.outputs == len(task.coordinates.state_labels)


def test_lines_of_documents_are_short():
    """Tables and links cannot be broken."""
    root = SOURCE.parent
    for page in [*root.glob("*.md"), *(root / "docs").rglob("*.md"), root / "config.yaml"]:
        lines = page.read_text().splitlines()
        long = [number for number, line in enumerate(lines, 1) if len(line) > 120 and line[:1] != "|" and "](" not in line]
        assert not long, f"{page}: lines {long}"


def test_links_of_the_documents_lead_somewhere():
    import re

    root = SOURCE.parent
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    assert len(pages) > 5
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page}: {target}"


def thresholds_compared(text):
    """Line numbers of a module's comparisons (<, <=, >, >=) with a threshold."""
    lines = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops):
            parts = [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
            names = {getattr(part, "id", getattr(part, "attr", "")) for part in parts}
            if any(re.fullmatch(r"\w*(threshold|level)s?", name) for name in names):
                lines.append(node.lineno)
    return lines


def test_a_zero_is_defined_once():
    """numpy rounds a Python float that is compared with a float32 array: only `zero` may compare with a threshold."""
    violations = {
        str(path.relative_to(PACKAGE)): lines
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "zero.py" and (lines := thresholds_compared(path.read_text()))
    }
    assert not violations


@pytest.mark.parametrize(
    "comparison",
    ["x < threshold", "abs(x) <= settings.threshold", "thresholds[0] > x", "x < np.float64(level)"],
)
def test_a_comparison_with_a_threshold_is_seen(comparison):
    assert thresholds_compared(comparison) == [1]
