"""Command line: what can be studied, what a store holds, whether it is sound."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from dynamic_sparsity import settings
from dynamic_sparsity.errors import UserError
from dynamic_sparsity.task_names import DM_CONTROL_SUITE


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `dynamic-sparsity`; exit status 1 with one message for a user's mistake."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except UserError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # the reader (head, less) has seen enough
        sys.stderr.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dynamic-sparsity", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    tasks = commands.add_parser("tasks", help="tasks that a study may list: sizes, substeps, coordinates")
    tasks.add_argument("names", nargs="*", metavar="TASK", help="show the coordinates of these tasks only")
    tasks.set_defaults(run=_tasks)
    inspect = commands.add_parser("inspect", help="what a store holds, with which settings it was made")
    inspect.add_argument("store", type=Path)
    inspect.set_defaults(run=_inspect)
    verify = commands.add_parser("verify", help="read every chunk of stores and compare every file's checksum")
    verify.add_argument("stores", nargs="+", type=Path, metavar="STORE")
    verify.set_defaults(run=_verify)
    schema = commands.add_parser("schema", help="the JSON schema of config.yaml")
    schema.set_defaults(run=lambda _: print(json.dumps(settings.json_schema(), indent=2)))
    return parser


def _tasks(given: argparse.Namespace) -> None:
    from dynamic_sparsity import runtime

    names = settings.known_tasks(given.names) if given.names else DM_CONTROL_SUITE
    runtime.configure_jax()
    from dynamic_sparsity.simulation.tasks import load_task

    print(f"{'task':<24}{'nq':>4}{'nv':>4}{'na':>4}{'nu':>4}{'substeps':>10}{'control step':>14}  coordinates")
    for name in names:
        task = load_task(name)
        model, coordinates = task.model, task.coordinates
        sizes = f"{model.nq:>4}{model.nv:>4}{model.na:>4}{model.nu:>4}"
        dofs = " ".join(coordinates.dofs)
        print(f"{name:<24}{sizes}{task.substeps:>10}{task.control_timestep:>12g} s  {dofs}", flush=True)
        if given.names:
            print(f"  state: {' '.join(coordinates.state_labels)}")
            print(f"  controls: {' '.join(f'ctrl:{actuator}' for actuator in coordinates.actuators)}")


def _inspect(given: argparse.Namespace) -> None:
    from dynamic_sparsity import stores

    dataset = stores.open_store(given.store)
    files = stores.files_of(given.store)
    on_disk, in_memory = sum(file.stat().st_size for file in files), dataset.nbytes
    attrs = dataset.attrs
    print(f"{given.store}: {attrs['kind']}, {len(files)} files, {_mib(on_disk)} on disk, {_mib(in_memory)} in memory")
    for name in ("task", "policy", "method", "seed", "seeds", "control_timestep", "substeps", "threshold", "git_commit"):
        if name in attrs:
            print(f"  {name}: {attrs[name]}")
    print(f"  settings: {attrs['settings']}")
    print(f"  versions: {' '.join(f'{name} {version}' for name, version in attrs['versions'].items())}")
    print("dims: " + ", ".join(f"{dim} {size}" for dim, size in dataset.sizes.items()))
    for name, array in dataset.data_vars.items():
        units = f" [{array.attrs['units']}]" if "units" in array.attrs else ""
        print(f"  {name}({', '.join(map(str, array.dims))}) {array.dtype}{units}")


def _verify(given: argparse.Namespace) -> None:
    from dynamic_sparsity import stores

    strangers = [path for path in given.stores if not stores.is_store(path)]
    if strangers:
        raise UserError(f"{strangers[0]} is not a store of this study (no zarr.json of ours there): check the path")
    damaged = []
    for path in given.stores:
        problems = stores.verify_store(path)
        damaged += [str(path)] if problems else []
        print(f"{path}: {'damaged' if problems else 'sound'}", flush=True)
        for problem in problems:
            print(f"  {problem}")
    if damaged:
        raise UserError(
            f"{len(damaged)} of {len(given.stores)} stores are damaged: delete {', '.join(damaged)} and run snakemake again"
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:.2f} MiB"


if __name__ == "__main__":
    main()
