"""Data is never run as code: nothing in the tree unpickles, evaluates text, loads unsafe YAML or starts a shell."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {"read_pickle", "to_pickle"}
"""Of whatever object."""
FUNCTIONS = {
    "os": {"system", "popen"},
    "yaml": {"unsafe_load", "unsafe_load_all", "full_load", "full_load_all"},
    "builtins": BUILTINS,
}
"""Of the modules of these names."""
YAML_LOADS = {"load", "load_all"}
"""Of the module yaml: unsafe without a loader that is safe."""
SAFE_LOADERS = {"SafeLoader", "CSafeLoader", "BaseLoader"}
OPTIONS = {"allow_pickle", "shell"}
"""Keywords that no call may have, unless they are False."""

IN_TEXT = re.compile(
    rf"\b(?:import|from)\s+(?:{'|'.join(sorted(MODULES))})\b"
    rf"|(?<![\w.])(?:{'|'.join(sorted(BUILTINS))})\s*\("
    rf"|\.(?:{'|'.join(sorted(METHODS))})\s*\("
    r"|\bos\.(?:system|popen)\s*\(|\byaml\.(?:unsafe|full)_load(?:_all)?\s*\("
    r"|\byaml\.load(?:_all)?\s*\("
    rf"|\b(?:{'|'.join(sorted(OPTIONS))})\s*=\s*True\b"
)
"""For files that are not Python: Snakemake's own keyword `shell:` is none of this, it runs what the rule says."""


def in_python(source):
    """`line: what` for everything in Python source that might run data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = [alias.name for alias in node.names]
            modules = named if isinstance(node, ast.Import) else [node.module or ""]
            found += [(node, name) for name in modules if name.partition(".")[0] in MODULES]
            if isinstance(node, ast.ImportFrom) and node.module in FUNCTIONS:
                unsafe = FUNCTIONS[node.module] | (YAML_LOADS if node.module == "yaml" else set())
                found += [(node, name) for name in named if name in unsafe]
        elif isinstance(node, ast.Call):
            found += [(node, what) for what in unsafe_in(node)]
    return [f"{node.lineno}: {what}" for node, what in found]


def unsafe_in(call):
    name = ast.unparse(call.func)
    owner, _, last = name.rpartition(".")
    if name in BUILTINS or last in FUNCTIONS.get(owner, ()) or (owner and last in METHODS):
        yield name
    if owner == "yaml" and last in YAML_LOADS and not safely_loaded(call):
        yield name
    if name.endswith("import_module") and call.args and ast.unparse(call.args[0]).strip("'\"").partition(".")[0] in MODULES:
        yield ast.unparse(call)
    for keyword in call.keywords:
        if keyword.arg in OPTIONS and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False):
            yield f"{keyword.arg}={ast.unparse(keyword.value)}"


def safely_loaded(call):
    loaders = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "Loader")]
    return any(ast.unparse(loader).rpartition(".")[2] in SAFE_LOADERS for loader in loaders)


def in_text(source):
    lines = enumerate(source.splitlines(), start=1)
    return [f"{number}: {line.strip()}" for number, line in lines if IN_TEXT.search(line.partition("#")[0])]


PYTHON = sorted(path for folder in ("src", "tests", "envs") for path in (ROOT / folder).rglob("*.py"))
TEXTS = [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]


def test_there_are_files_to_look_at():
    assert len(PYTHON) > 100 and len(TEXTS) > 5
    assert {path.relative_to(ROOT).parts[0] for path in PYTHON} == {"src", "tests", "envs"}


@pytest.mark.parametrize("folder", ["src", "tests", "envs"])
def test_no_python_runs_data(folder):
    files = [path for path in PYTHON if path.relative_to(ROOT).parts[0] == folder]
    assert not {str(path): found for path in files if (found := in_python(path.read_text()))}


def test_no_rule_runs_data():
    assert not {str(path): found for path in TEXTS if (found := in_text(path.read_text()))}


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle",
        "import pickle as p",
        "import os, marshal",
        "import joblib.externals",
        "from pickle import loads",
        "from cloudpickle import load",
        "def f():\n    from dill import load",
        "import shelve",
        "importlib.import_module('pickle')",
        "eval('1')",
        "exec(text)",
        "compile(text, 'name', 'exec')",
        "__import__(name)",
        "builtins.eval(text)",
        "from builtins import exec",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "pd.read_pickle(path)",
        "yaml.load(text)",
        "yaml.load(text, yaml.Loader)",
        "yaml.load(text, Loader=yaml.UnsafeLoader)",
        "yaml.load_all(text)",
        "yaml.unsafe_load(text)",
        "yaml.full_load(text)",
        "from yaml import load",
        "subprocess.run(command, shell=True)",
        "subprocess.run(command, shell=1)",
        "os.system(command)",
        "os.popen(command)",
        "from os import system",
    ],
)
def test_what_runs_data_is_found(bad):
    assert in_python(f"x = 1\n{bad}\n")


@pytest.mark.parametrize(
    "good",
    [
        "import pickleball",
        "re.compile(pattern)",
        "lowered.compile()",
        "jax.jit(f).lower(x).compile(options)",
        "model.eval()",
        "project.popen(command)",
        "yaml.safe_load(text)",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "yaml.load(text, yaml.CSafeLoader)",
        "json.load(file)",
        "np.load(path, allow_pickle=False)",
        "subprocess.run(command, shell=False)",
        "platform.system",
        "importlib.import_module('dynamic_sparsity.stages')",
        "text = 'import pickle'",
    ],
)
def test_what_runs_no_data_is_let_through(good):
    assert not in_python(good)


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle",
        "    from joblib import load",
        "x = eval(config['x'])",
        "        exec (text)",
        "x = yaml.load(file)",
        "yaml.unsafe_load(file)",
        "run(command, shell=True)",
        "os.system('rm')",
        "np.load(x, allow_pickle = True)",
    ],
)
def test_a_rule_that_runs_data_is_found(bad):
    assert in_text(f"rule all:\n{bad}\n")


@pytest.mark.parametrize("good", ["    shell:", "re.compile(x)", "# never eval(x)", "yaml.safe_load(x)", "evaluate(x)"])
def test_a_rule_that_runs_no_data_is_let_through(good):
    assert not in_text(good)
