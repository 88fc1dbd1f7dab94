"""What config.yaml may look like, before Snakemake reads it; what --configfile names it has read by then."""

import atexit
import gc
import sys
from pathlib import Path

# Planning makes millions of objects that all stay: looking for garbage among them took a quarter of the time of a
# study of 15,000 jobs (docs/scaling.md), some of it at the end. The Snakefile's onstart enables it again.
gc.disable()
atexit.register(gc.freeze)

SOURCE_ROOT = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SOURCE_ROOT))

from dynamic_sparsity.study import config_file
from dynamic_sparsity.errors import UserError


def or_exit(check, *arguments):
    """What `check` returns; a UserError stops Snakemake with its message alone."""
    try:
        return check(*arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None


# With --directory, the study there; without one, the default.
CONFIG_FILE = Path("config.yaml")
if not CONFIG_FILE.exists():
    CONFIG_FILE = Path(workflow.basedir) / "config.yaml"
for file in [CONFIG_FILE, *workflow.config_settings.configfiles]:
    or_exit(config_file.check, Path(file))
