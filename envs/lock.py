"""Write the locks from pyproject.toml: four hashed requirement files for pip, and environment.yaml for conda.

`make lock` runs this. It needs uv (in the test extra) and a package index, whose address is in none of the files.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ENVS = Path(__file__).resolve().parent
PYTHON = "3.11"
_PIN = re.compile(r"^([A-Za-z0-9_.\-]+==[^ \\;]+)(?: ; ([^\\]+?))? \\$", re.MULTILINE)


def pins(requirements: Path) -> list[str]:
    """`name==version` of every package in a hashed lock, with its marker if it has one."""
    return [f"{pin} ; {marker}" if marker else pin for pin, marker in _PIN.findall(requirements.read_text())]


def environment(requirements: Path) -> str:
    """Content of environment.yaml: the same versions, for `snakemake --sdm conda`."""
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
    subprocess.run([*command, "--output-file", str(output)], check=True, cwd=ENVS.parent)


def main() -> None:
    """Resolve with the test extra first, then write the other locks with the same versions."""
    everything, runtime, slurm, docs = (ENVS / f"requirements{extra}.txt" for extra in ("-test", "", "-slurm", "-docs"))
    constraint = "--constraint", str(everything.relative_to(ENVS.parent))
    _compile(everything, "--extra", "test")
    _compile(runtime, *constraint)
    _compile(slurm, "--extra", "slurm", *constraint)
    _compile(docs, "--extra", "docs", *constraint)
    (ENVS / "environment.yaml").write_text(environment(runtime))


if __name__ == "__main__":
    main()
