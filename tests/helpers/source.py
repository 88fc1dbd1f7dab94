"""The place of the package's source."""

from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
PACKAGE = SOURCE / "dynamic_sparsity"
