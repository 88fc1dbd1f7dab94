"""Data is never run as code: nothing in the tree unpickles, evaluates text, loads unsafe YAML or starts a shell."""

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "runpy", "yte"}
"""yte is a YAML template engine that evaluates expressions."""
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {"read_pickle", "to_pickle", "query"}
"""Of whatever object but `query` of `self`; that of a table evaluates text, as does its `eval`."""
FUNCTIONS = {
    "os": {"system", "popen"},
    "subprocess": {"getoutput", "getstatusoutput"},
    "asyncio": {"create_subprocess_shell"},
    "pandas": {"eval", "read_pickle"},
    "yaml": {"unsafe_load", "unsafe_load_all", "full_load", "full_load_all"},
    "builtins": BUILTINS,
    "__builtins__": BUILTINS,
}
"""Of the modules of these names."""
YAML_LOADS = {"yaml.load", "yaml.load_all"}
"""Unsafe without a loader that is safe."""
SAFE_LOADERS = {"SafeLoader", "CSafeLoader", "BaseLoader"}
OPTIONS = {"allow_pickle", "shell"}
"""Keywords that no call may have, unless they are False."""
POSITIONS = {
    "numpy.load": 2,
    "numpy.save": 2,
    "numpy.lib.format.read_array": 1,
    **dict.fromkeys(("subprocess.Popen", "subprocess.run", "subprocess.call", "subprocess.check_output"), 8),
}
"""Where these options stand among positional arguments."""
CUSTOMARY = {"np": "numpy", "pd": "pandas"}
"""What names mean where no import says so."""

IN_TEXT = re.compile(
    rf"\b(?:import|from)[ \t]+(?:{'|'.join(sorted(MODULES))})\b"
    rf"|(?<![\w.])(?:{'|'.join(sorted(BUILTINS))})[ \t]*\("
    r"|\.(?:read_pickle|to_pickle|query)[ \t]*\("
    + "".join(
        rf"|\b{module}\.(?:{'|'.join(sorted(names))})[ \t]*\(" for module, names in FUNCTIONS.items() if module[0] != "_"
    )
    + r"|\bpd\.eval[ \t]*\(|\byaml\.load(?:_all)?[ \t]*\("
    rf"|\b(?:{'|'.join(sorted(OPTIONS))})[ \t]*=[ \t]*True\b"
)
"""For files that are not Python: Snakemake's own keyword `shell:` is none of this, it runs what the rule says."""


def in_python(source):
    """`line: what` for everything in Python source that might run data."""
    tree = ast.parse(source)
    names = names_of(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += [(node, name) for name in imported(node) if is_unsafe(name) or name in YAML_LOADS]
        elif isinstance(node, ast.Attribute | ast.Name) and is_unsafe(meaning(node, names)):
            found.append((node, ast.unparse(node)))
        elif isinstance(node, ast.Call):
            found += [(node, what) for what in unsafe_in(node, names)]
    return [f"{node.lineno}: {what}" for node, what in found]


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module or ''}.{alias.name}" for alias in node.names]


def names_of(tree):
    """What each name means that an import brings, wherever it stands."""
    names = dict(CUSTOMARY)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias, name in zip(node.names, imported(node), strict=True):
                if alias.asname or isinstance(node, ast.ImportFrom):
                    names[alias.asname or alias.name] = name
    return names


def meaning(node, names):
    """The dotted name of an expression, with what imports call its first part; () for what has no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    return f"{meaning(node.value, names)}.{node.attr}" if isinstance(node, ast.Attribute) else "()"


def is_unsafe(name):
    owner, _, last = name.rpartition(".")
    return name.partition(".")[0] in MODULES or last in FUNCTIONS.get(owner, ())


def unsafe_in(call, names):
    name = meaning(call.func, names)
    last = name.rpartition(".")[2]
    given = bool(call.args or call.keywords)
    unsafe = last in METHODS or (last == "eval" and given)
    method = unsafe and isinstance(call.func, ast.Attribute) and name != "self.query"
    if (name in BUILTINS and given) or (method and not is_unsafe(name)):
        yield name
    if name in YAML_LOADS and not safely_loaded(call):
        yield name
    if name == "getattr" and meaning(call.args[0], names) in FUNCTIONS and not harmless(call.args[1], names, call.args[0]):
        yield ast.unparse(call)
    if last == "import_module" and call.args and ast.unparse(call.args[0]).strip("'\"").partition(".")[0] in MODULES:
        yield ast.unparse(call)
    if (place := POSITIONS.get(name)) is not None and len(call.args) > place and not is_false(call.args[place]):
        yield ast.unparse(call)
    for keyword in call.keywords:
        if keyword.arg in OPTIONS and not is_false(keyword.value):
            yield f"{keyword.arg}={ast.unparse(keyword.value)}"


def harmless(attribute, names, module):
    """Whether an attribute that `getattr` is asked for is known, and none that runs text."""
    return isinstance(attribute, ast.Constant) and not is_unsafe(f"{meaning(module, names)}.{attribute.value}")


def is_false(value):
    return isinstance(value, ast.Constant) and value.value is False


def safely_loaded(call):
    loaders = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "Loader")]
    return any(ast.unparse(loader).rpartition(".")[2] in SAFE_LOADERS for loader in loaders)


def in_text(source):
    """Of other files; a line is a comment where it begins as one, since a # further on may stand in a string."""
    found = []
    for match in IN_TEXT.finditer(source):
        line = source[source.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0].strip()
        if not line.startswith("#"):
            found.append(f"{source.count(chr(10), 0, match.start()) + 1}: {line}")
    return found


def files_of_the_tree():
    """All files that git knows or would add; without git, those in no hidden folder."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True) if shutil.which("git") else None
    if done and done.returncode == 0:
        return sorted(path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file())
    return sorted(walked(ROOT))


def walked(root):
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not (name.startswith(".") and name != ".ci") and name != "__pycache__"]
        yield from (path for name in names if (path := Path(folder, name)).is_file())


def text_of(path):
    """None for files that are no text."""
    content = path.read_bytes()
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None


def unsafe_files(paths):
    found = {}
    for path in paths:
        if (text := text_of(path)) is not None:
            python = path.suffix == ".py" or re.match("#!.*python", text)
            found[str(path)] = in_python(text) if python else in_text(text)
    return {path: lines for path, lines in found.items() if lines}


def test_there_are_files_to_look_at():
    files = [path.relative_to(ROOT) for path in files_of_the_tree()]
    assert sum(path.suffix == ".py" for path in files) > 100
    assert {"Snakefile", "src", "tests", "envs", "workflow", "docs", "Makefile"} <= {path.parts[0] for path in files}


def test_without_git_the_folders_are_walked():
    assert {path for path in files_of_the_tree() if path.suffix in (".py", ".smk")} <= set(walked(ROOT))


def test_nothing_in_the_tree_runs_data():
    assert not unsafe_files(files_of_the_tree())


def test_files_of_any_kind_are_looked_at(tmp_path):
    contents = {"a.py": "eval(x)", "b": "#!/usr/bin/env python\nimport os as o\no.system(x)", "c.yaml": "x: eval(y)"}
    for name, text in {**contents, "fine.py": "x = 'eval(y)'", "binary": "eval(x)\0"}.items():
        (tmp_path / name).write_text(text)
    assert set(unsafe_files(tmp_path.iterdir())) == {str(tmp_path / name) for name in contents}


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
        "from os import system as s",
        "import os as o\no.system(command)",
        "import os\nrun = os.system",
        "import yaml as y\ny.load(text)",
        "import yaml as y\ny.unsafe_load(text)",
        "subprocess.getoutput(command)",
        "from subprocess import getstatusoutput",
        "import subprocess as sp\nsp.getstatusoutput(command)",
        "subprocess.Popen(command, -1, None, None, None, None, None, True, True)",
        "asyncio.create_subprocess_shell(command)",
        "from asyncio import create_subprocess_shell as start",
        "pd.eval(text)",
        "import pandas\npandas.eval(text)",
        "import pandas as p\np.eval(text)",
        "frame.query(text)",
        "frame.eval(text)",
        "frame.groupby('a').sum().query(expr=text)",
        "import runpy",
        "from runpy import run_path",
        "getattr(builtins, name)",
        "import builtins as b\ngetattr(b, 'ev' + 'al')",
        "getattr(__builtins__, 'eval')",
        "getattr(os, 'system')(command)",
        "np.load(path, None, True)",
        "import numpy as n\nn.load(path, None, trusted)",
        "from numpy import load\nload(path, None, True)",
        "np.save(path, array, True)",
        "import yte",
        "from yte import process_yaml",
        "from importlib import import_module as load\nload('pickle')",
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
        "np.load(path, None, False)",
        "import os as o\no.getpid()",
        "getattr(os, 'sched_setaffinity')",
        "getattr(model, name)",
        "query = frame['query']",
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
        "x = '#' + eval(y)",
        "shell('echo \"#\"'); os.system(x)",
        "subprocess.getoutput(x)",
        "pd.eval(x)",
        "frame.query(x)",
        "import yte",
    ],
)
def test_a_rule_that_runs_data_is_found(bad):
    assert in_text(f"rule all:\n{bad}\n")


@pytest.mark.parametrize("good", ["    shell:", "re.compile(x)", "# never eval(x)", "yaml.safe_load(x)", "evaluate(x)"])
def test_a_rule_that_runs_no_data_is_let_through(good):
    assert not in_text(good)
