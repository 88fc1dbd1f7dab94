"""List the tasks that can be studied, and inspect and verify the stores and experts of a study."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dynamic_sparsity import __version__
from dynamic_sparsity.errors import UserError, printable
from dynamic_sparsity.study import study
from dynamic_sparsity.tasks.names import DM_CONTROL_SUITE, known_tasks

if TYPE_CHECKING:
    from dynamic_sparsity.stores.verification import Verdict

_EXPERT = ".safetensors"


def main(argv: list[str] | None = None) -> None:
    """Entry point of `dynamic-sparsity`. A user's mistake gives one message and exit status 1."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # the reader of a pipe (head, less) has ended
        sys.stderr.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dynamic-sparsity", description=__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    tasks = commands.add_parser("tasks", help="list the tasks that a study may use, with sizes, substeps and coordinates")
    tasks.add_argument(
        "names", nargs="*", metavar="TASK", help="show only these tasks, with all state and control coordinates"
    )
    tasks.set_defaults(run=_tasks)
    experts = commands.add_parser(
        "experts", help="compare the returns of the shipped experts with baselines and Playground's"
    )
    experts.add_argument("--directory", type=Path, default=Path("resources/policies"), help="folder of the experts' files")
    experts.add_argument(
        "--reported",
        type=Path,
        default=Path("resources/paper/playground_returns.csv"),
        help="CSV file of Playground's returns",
    )
    experts.set_defaults(run=_experts)
    inspect = commands.add_parser(
        "inspect", help="show what a store or an expert's file holds, and the settings that it was made with"
    )
    inspect.add_argument("store", type=Path, help="a store or an expert's file")
    inspect.set_defaults(run=_inspect)
    verify = commands.add_parser(
        "verify", help="read every chunk of stores and experts, and compare the checksum of every file"
    )
    verify.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a store, an expert's file, or a folder that holds some of them"
    )
    verify.set_defaults(run=_verify)
    schema = commands.add_parser("schema", help="print the JSON schema of config.yaml")
    schema.set_defaults(run=lambda _: print(json.dumps(study.json_schema(), indent=2)))
    return parser


def _tasks(arguments: argparse.Namespace) -> None:
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    names = known_tasks(arguments.names) if arguments.names else DM_CONTROL_SUITE
    configure_jax()
    from dynamic_sparsity.simulation.tasks import load_task

    print(f"{'task':<24}{'nq':>4}{'nv':>4}{'na':>4}{'nu':>4}{'substeps':>10}{'control step':>14}  coordinates")
    for name in names:
        task = load_task(name)
        model, coordinates = task.model, task.coordinates
        sizes = f"{model.nq:>4}{model.nv:>4}{model.na:>4}{model.nu:>4}"
        dofs = " ".join(coordinates.dofs)
        print(f"{name:<24}{sizes}{task.substeps:>10}{task.control_timestep:>12g} s  {dofs}", flush=True)
        if arguments.names:
            print(f"  state: {' '.join(coordinates.state_labels)}")
            print(f"  controls: {' '.join(f'ctrl:{actuator}' for actuator in coordinates.actuators)}")


def _experts(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from dynamic_sparsity.experts.expert import check_finished, read_expert
    from dynamic_sparsity.tables.returns import EVALUATED, evaluation

    files = sorted(arguments.directory.glob(f"*{_EXPERT}"))
    if not (files and arguments.reported.is_file()):
        missing = arguments.directory / "*.safetensors" if not files else arguments.reported
        raise UserError(f"there is no {missing}: run this in the project's directory, or use --directory and --reported")
    reported = pd.read_csv(arguments.reported)
    rows = []
    for path in files:
        expert = read_expert(path)
        check_finished(path, expert)
        rows.append((f"{expert.provenance['task']}-{expert.provenance['seed']}", evaluation(expert.provenance, reported)))
    columns = ["expert", "best at", "minutes", *EVALUATED, "Playground", "verdict"]
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for name, row in rows:
        returns = [f"{row[policy]:.0f} ± {row[f'{policy}_std']:.0f}" for policy in EVALUATED]
        playground = "–" if row["playground"] is None else f"{row['playground']:.0f}"
        best = f"{_millions(row['best_step'])} of {_millions(row['trained_steps'])}"
        minutes = "–" if row["minutes"] is None else f"{row['minutes']:.0f}"
        print(f"| {name} | {best} | {minutes} | {' | '.join(returns)} | {playground} | {row['verdict']} |")


def _inspect_expert(path: Path) -> None:
    from dynamic_sparsity.experts.expert import read_expert

    expert = read_expert(path)
    print(f"{path}: expert, {_mib(path.stat().st_size)}, whole")
    for name, value in expert.provenance.items():
        print(f"  {printable(name)}: {printable(value)}")
    for name, array in expert.tensors.items():
        print(f"  {printable(name)}{list(array.shape)} {array.dtype}")


def _inspect(arguments: argparse.Namespace) -> None:
    from dynamic_sparsity.stores.digests import files_of
    from dynamic_sparsity.stores.untrusted import open_untrusted

    if arguments.store.suffix == _EXPERT:
        _inspect_expert(arguments.store)
        return
    dataset = open_untrusted(arguments.store)
    files = files_of(arguments.store)
    on_disk, in_memory = sum(file.stat().st_size for file in files), dataset.nbytes
    attrs = dataset.attrs
    print(f"{arguments.store}: {attrs['kind']}, {len(files)} files, {_mib(on_disk)} on disk, {_mib(in_memory)} in memory")
    for name in ("task", "policy", "method", "seed", "seeds", "control_timestep", "substeps", "threshold", "git_commit"):
        if name in attrs:
            print(f"  {name}: {printable(attrs[name])}")
    print(f"  settings: {printable(attrs['settings'])}")
    print(printable(f"  versions: {_versions(attrs['versions'])}"))
    for stage, versions in attrs["simulator_versions"].items():
        print(printable(f"  {stage} by: {_versions(versions)}"))
    print(printable("dims: " + ", ".join(f"{dim} {size}" for dim, size in dataset.sizes.items())))
    for name, array in dataset.data_vars.items():
        units = f" [{array.attrs['units']}]" if "units" in array.attrs else ""
        print(printable(f"  {name}({', '.join(map(str, array.dims))}) {array.dtype}{units}"))


def _versions(versions: dict[str, str]) -> str:
    return " ".join(f"{name} {version}" for name, version in versions.items())


def _verify(arguments: argparse.Namespace) -> None:
    from dynamic_sparsity.stores import verification

    files = [file for path in arguments.paths for file in _verifiable(path)]
    damaged, doubtful = [], []
    for path in files:
        verdict = _verdict_of_expert(path) if path.suffix == _EXPERT else verification.verdict_of(path)
        state = "damaged" if verdict.damage else "in doubt" if verdict.doubts else "sound"
        damaged += [str(path)] if state == "damaged" else []
        doubtful += [str(path)] if state == "in doubt" else []
        print(f"{path}: {state}", flush=True)
        for problem in verdict.problems:
            print(f"  {problem}")
    messages = []
    if damaged:
        messages.append(
            f"{len(damaged)} of {len(files)} are damaged: delete {', '.join(damaged)} and run snakemake again."
            " Restore shipped experts by git checkout instead."
        )
    if doubtful:
        messages.append(
            f"{len(doubtful)} of {len(files)} are in doubt, with no file that contradicts its digest:"
            f" {', '.join(doubtful)}. Mend the problems named above (remove files that are not listed) and verify again."
        )
    if messages:
        raise UserError(" ".join(messages))


def _verifiable(path: Path) -> list[Path]:
    """`path` itself if it is a store or an expert, else those in the folder; links are followed, each directory once."""
    from dynamic_sparsity.stores.opening import is_store

    if path.suffix == _EXPERT or _may_be_store(path) or is_store(path):
        return [path]
    inside, seen = [], set()
    for folder, folders, files in os.walk(path, followlinks=True):
        seen.add(_identity(Path(folder)))
        new = []
        for one in (Path(folder, name) for name in sorted(folders)):
            if (identity := _identity(one)) not in seen:  # links may form circles, and several may lead to one store
                seen.add(identity)
                new.append(one)
        inside += [one for one in new if _may_be_store(one)]
        inside += [Path(folder, name) for name in files if name.endswith(_EXPERT)]
        folders[:] = [one.name for one in new if not _may_be_store(one)]
    if not inside:
        raise UserError(f"{path} is not a store of this study, nor a folder with stores or experts in it: check the path")
    return sorted(inside)


def _identity(path: Path) -> tuple[int, int]:
    """Device and inode of a file or directory: the same through every link."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def _may_be_store(path: Path) -> bool:
    """Whether the name is a store's: a store that has lost its metadata is verified too."""
    return path.suffix == ".zarr" and path.is_dir()


def _verdict_of_expert(path: Path) -> Verdict:
    from dynamic_sparsity.experts.expert import read_expert
    from dynamic_sparsity.stores import reading
    from dynamic_sparsity.stores.verification import Verdict

    try:
        with path.open("rb"):
            read_expert(path)
    except UserError as error:
        return Verdict(damage=[str(error)])
    except OSError as error:
        return Verdict(doubts=[reading.cause(path, error) or f"{path} cannot be read: {error.strerror}"])
    return Verdict()


def _millions(steps: int | None) -> str:
    return "–" if steps is None else f"{steps / 1e6:.2f} M"


def _mib(size: int) -> str:
    return f"{size / 2**20:.2f} MiB"


if __name__ == "__main__":
    main()
