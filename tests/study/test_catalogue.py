"""A row of the catalogue, a module, its settings and its caption belong together."""

from dynamic_sparsity.settings.figures import FigureSettings
from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.study.catalogue import FIGURES, TABLES, figures_of
from tests.helpers.source import PACKAGE

ROOT = PACKAGE.parents[1]


def modules(room, *helpers):
    return {path.stem for path in (PACKAGE / room).glob("[!_]*.py")} - set(helpers)


def test_every_figure_is_a_module_with_settings_and_a_row():
    assert modules("figures", "style") == set(FIGURES) == set(FigureSettings.names())


def test_every_table_is_a_module_with_a_row():
    assert modules("tables", "page", "reported") == set(TABLES)


def test_what_they_read_are_stages():
    for row in [*TABLES.values(), *FIGURES.values()]:
        assert row.reads and set(row.reads) <= set(STAGES)


def test_reported_numbers_and_captions_are_there():
    reported = {name for table in TABLES.values() for name in table.reported}
    assert reported and all((ROOT / f"resources/paper/{name}.csv").is_file() for name in reported)
    captions = {path.stem for path in (ROOT / "workflow/report/figures").glob("*.rst")}
    assert captions == set(figures_of("task", "embedded task")), "one caption serves all figures of a study"


def test_scopes_are_disjoint_and_complete():
    parts = [figures_of(scope) for scope in ("task", "embedded task", "study")]
    assert sorted(name for part in parts for name in part) == sorted(FIGURES)
    assert figures_of("task", "embedded task") == parts[0] + parts[1]
