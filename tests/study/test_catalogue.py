"""Each row of the catalogue agrees with its module, its settings and its caption."""

import importlib
import inspect
import typing

import pytest

from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.study import generated
from dynamic_sparsity.study import study as studies
from dynamic_sparsity.study.captions import caption, title
from dynamic_sparsity.study.catalogue import FIGURES, TABLES, figures_of
from dynamic_sparsity.study.figure_settings import FigureSettings, settings_of
from dynamic_sparsity.study.paths import Paths
from tests.helpers.source import PACKAGE

ROOT = PACKAGE.parents[1]


def modules(room, *helpers):
    return {path.stem for path in (PACKAGE / room).glob("[!_]*.py")} - set(helpers)


def test_every_figure_is_a_module_with_a_row():
    assert modules("figures", "style") == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_takes_the_settings_of_its_row(name):
    draw = importlib.import_module(f"dynamic_sparsity.figures.{name}").draw
    (_, stores), *settings = inspect.signature(draw).parameters.items()
    assert stores.kind is stores.POSITIONAL_OR_KEYWORD and all(
        setting.kind is setting.KEYWORD_ONLY for _, setting in settings
    )
    hints = typing.get_type_hints(draw)
    row = {
        name: typing.get_args(kind)[0] if typing.get_args(kind) else kind
        for name, (kind, _) in FIGURES[name].settings.items()
    }
    assert {name: hints[name] for name, _ in settings} == row
    assert settings_of(FigureSettings(), name).keys() == row.keys()


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_a_title_and_a_caption(name):
    assert caption(name) == inspect.getdoc(importlib.import_module(f"dynamic_sparsity.figures.{name}"))
    assert title(name).endswith(".") and len(caption(name)) > len(title(name))


@pytest.mark.parametrize("path", generated.files(ROOT), ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path):
    assert path.read_text() == generated.files(ROOT)[path], "run `make generate`"


def test_every_figure_of_a_task_has_a_caption():
    captions = {path.stem for path in (ROOT / "workflow/report/figures").glob("*.rst")}
    assert captions == set(figures_of("task", "embedded task")), "delete captions of figures that are gone"


def test_every_table_is_a_module_with_a_row():
    assert modules("tables", "page", "reported") == set(TABLES)


def test_tables_and_figures_read_stages():
    for row in [*TABLES.values(), *FIGURES.values()]:
        assert row.reads and set(row.reads) <= set(STAGES)
    for table in TABLES.values():
        assert set(table.also_reads) <= set(STAGES) - set(table.reads)


def test_a_table_reads_optional_stores_where_the_study_has_some():
    config = {"tasks": ["CartpoleBalance"], "policies": {"noise": {}}, "seeds": [0], "world_models": {"tasks": []}}
    stages = Paths(studies.load_study(config)).table_stages("findings")
    assert stages == ("summary", "patterns", "structure", "survival", "clustering", "horizons", "interventions")
    assert "recovery" in Paths(studies.load_study({**config, "world_models": {"tasks": None}})).table_stages("findings")


def test_reported_numbers_are_there():
    reported = {name for table in TABLES.values() for name in table.reported}
    assert reported and all((ROOT / f"resources/paper/{name}.csv").is_file() for name in reported)


def test_scopes_are_disjoint_and_complete():
    parts = [figures_of(scope) for scope in ("task", "embedded task", "study")]
    assert sorted(name for part in parts for name in part) == sorted(FIGURES)
    assert figures_of("task", "embedded task") == parts[0] + parts[1]
