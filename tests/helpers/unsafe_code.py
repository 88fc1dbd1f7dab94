"""Where source might run data as code: unpickle, evaluate text, load unsafe YAML or start a shell."""

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "runpy", "yte"}
"""yte is a YAML template engine that evaluates expressions."""
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {"read_pickle", "to_pickle", "query"}
"""Methods of any object, except `query` of `self`: `query` and `eval` of a table evaluate text."""
FUNCTIONS = {
    "os": {"system", "popen"},
    "subprocess": {"getoutput", "getstatusoutput"},
    "asyncio": {"create_subprocess_shell"},
    "pandas": {"eval", "read_pickle"},
    "yaml": {"unsafe_load", "unsafe_load_all", "full_load", "full_load_all"},
    "builtins": BUILTINS,
    "__builtins__": BUILTINS,
}
"""Functions by the module that has them."""
YAML_LOADS = {"yaml.load", "yaml.load_all"}
"""Functions that are unsafe without a safe loader."""
SAFE_LOADERS = {"SafeLoader", "CSafeLoader", "BaseLoader"}
OPTIONS = {"allow_pickle", "shell"}
"""Keywords that must be False in every call."""
POSITIONS = {
    "numpy.load": 2,
    "numpy.save": 2,
    "numpy.lib.format.read_array": 1,
    **dict.fromkeys(("subprocess.Popen", "subprocess.run", "subprocess.call", "subprocess.check_output"), 8),
}
"""Positions of these options among positional arguments."""
CUSTOMARY = {"np": "numpy", "pd": "pandas"}
"""Modules that these names stand for where no import says so."""

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
"""The pattern for files that are not Python. Snakemake's keyword `shell:` is allowed: it runs what the rule says."""


def in_python(source):
    """`line: expression` for everything in Python source that might run data."""
    tree = ast.parse(source)
    names = names_of(tree)
    uses = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            unsafe = [name for name in imported(node) if is_unsafe(name) or name in YAML_LOADS]
        elif isinstance(node, ast.Attribute | ast.Name):
            unsafe = [ast.unparse(node)] if is_unsafe(meaning(node, names)) else []
        else:
            unsafe = unsafe_in(node, names) if isinstance(node, ast.Call) else []
        uses += [f"{getattr(node, 'lineno', 0)}: {expression}" for expression in unsafe]
    return uses


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module or ''}.{alias.name}" for alias in node.names]


def names_of(tree):
    """What each imported name stands for, wherever the import stands."""
    names = dict(CUSTOMARY)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias, name in zip(node.names, imported(node), strict=True):
                if alias.asname or isinstance(node, ast.ImportFrom):
                    names[alias.asname or alias.name] = name
    return names


def meaning(node, names):
    """The dotted name of an expression, its first part replaced by what it stands for; `()` if it has no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    return f"{meaning(node.value, names)}.{node.attr}" if isinstance(node, ast.Attribute) else "()"


def is_unsafe(name):
    owner, _, last = name.rpartition(".")
    return name.partition(".")[0] in MODULES or last in FUNCTIONS.get(owner, ())


def unsafe_in(call, names):
    name = meaning(call.func, names)
    last = name.rpartition(".")[2]
    has_arguments = bool(call.args or call.keywords)
    unsafe = last in METHODS or (last == "eval" and has_arguments)
    method = unsafe and isinstance(call.func, ast.Attribute) and name != "self.query"
    if (name in BUILTINS and has_arguments) or (method and not is_unsafe(name)):
        yield name
    if name in YAML_LOADS and not safely_loaded(call):
        yield name
    if name == "getattr" and meaning(call.args[0], names) in FUNCTIONS and not harmless(call.args[1], names, call.args[0]):
        yield ast.unparse(call)
    if last == "import_module" and call.args and ast.unparse(call.args[0]).strip("'\"").partition(".")[0] in MODULES:
        yield ast.unparse(call)
    if (position := POSITIONS.get(name)) is not None and len(call.args) > position and not is_false(call.args[position]):
        yield ast.unparse(call)
    for keyword in call.keywords:
        if keyword.arg in OPTIONS and not is_false(keyword.value):
            yield f"{keyword.arg}={ast.unparse(keyword.value)}"


def harmless(attribute, names, module):
    """Whether the attribute that `getattr` returns is known and does not run text."""
    return isinstance(attribute, ast.Constant) and not is_unsafe(f"{meaning(module, names)}.{attribute.value}")


def is_false(value):
    return isinstance(value, ast.Constant) and value.value is False


def safely_loaded(call):
    loaders = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "Loader")]
    return any(ast.unparse(loader).rpartition(".")[2] in SAFE_LOADERS for loader in loaders)


def in_text(source):
    """Of other files; a line is a comment where it begins as one, since a # further on may stand in a string."""
    lines = []
    for match in IN_TEXT.finditer(source):
        line = source[source.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0].strip()
        if not line.startswith("#"):
            lines.append(f"{source.count(chr(10), 0, match.start()) + 1}: {line}")
    return lines


def files_of_the_tree():
    """All files that git tracks or would add; without git, all that lie in no hidden folder."""
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
    """The text of a file; None if it is not text."""
    content = path.read_bytes()
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None


def unsafe_files(paths):
    unsafe = {}
    for path in paths:
        if (text := text_of(path)) is not None:
            python = path.suffix == ".py" or re.match("#!.*python", text)
            unsafe[str(path)] = in_python(text) if python else in_text(text)
    return {path: lines for path, lines in unsafe.items() if lines}
