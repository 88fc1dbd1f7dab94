"""Checks of config.yaml before Snakemake reads it. Snakemake has already read files of --configfile by then."""

import atexit
import gc
import sys
from pathlib import Path

# Planning creates millions of objects that all stay. Searching them for garbage took a quarter of the time to plan a
# study of 15,000 jobs (docs/scaling.md), some of it at exit. The onstart in common.smk turns the collector on again.
gc.disable()
atexit.register(gc.freeze)

SOURCE_ROOT = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SOURCE_ROOT))

from dynamic_sparsity.study import config_file
from dynamic_sparsity.errors import UserError


def or_exit(check, *arguments):
    """The value of `check(*arguments)`. A UserError stops Snakemake, and only its message is printed."""
    try:
        return check(*arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None


# The study in the working directory (--directory), if it has a config.yaml; otherwise the default study.
CONFIG_FILE = Path("config.yaml")
if not CONFIG_FILE.exists():
    CONFIG_FILE = Path(workflow.basedir) / "config.yaml"
for file in [CONFIG_FILE, *workflow.config_settings.configfiles]:
    or_exit(config_file.check, Path(file))
