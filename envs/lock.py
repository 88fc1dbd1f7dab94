"""Write the locks from pyproject.toml: four hashed requirement files for pip, and environment.yaml for conda.

Run by `make lock`; needs uv (in the test extra) and a package index. No file names the index.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = "3.11"
_PIN = re.compile(r"^([A-Za-z0-9_.\-]+==[^ \\;]+)(?: ; ([^\\]+?))? \\$", re.MULTILINE)


def pins(requirements: Path) -> list[str]:
    """`name==version` of every package that a hashed lock pins, with its marker where it has one."""
    return [f"{pin} ; {marker}" if marker else pin for pin, marker in _PIN.findall(requirements.read_text())]


def environment(requirements: Path) -> str:
    """environment.yaml: the same versions for `snakemake --sdm conda`."""
    lines = [f"      - {pin if ';' not in pin else repr(pin)}" for pin in pins(requirements)]
    return "\n".join(
        [
            "# Made from requirements.txt by envs/lock.py (`make lock`): do not edit.",
            "channels:",
            "  - conda-forge",
            "  - nodefaults",
            "dependencies:",
            f"  - python={PYTHON}",
            "  - pip",
            "  - pip:",
            *lines,
            "",
        ]
    )


def _compile(output: Path, *options: str) -> None:
    command = ["uv", "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--python-version", PYTHON]
    command += ["--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", *options]
    subprocess.run([*command, "--output-file", str(output)], check=True, cwd=HERE.parent)


def main() -> None:
    """Resolve once with the test extra, then the other locks within these versions."""
    everything, runtime, slurm, docs = (HERE / f"requirements{extra}.txt" for extra in ("-test", "", "-slurm", "-docs"))
    within = "--constraint", str(everything.relative_to(HERE.parent))
    _compile(everything, "--extra", "test")
    _compile(runtime, *within)
    _compile(slurm, "--extra", "slurm", *within)
    _compile(docs, "--extra", "docs", *within)
    (HERE / "environment.yaml").write_text(environment(runtime))


if __name__ == "__main__":
    main()
