"""Blocks of a Jacobian: the rows of one joint or object, and the columns of another's state or controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from dynamic_sparsity.definitions.blocks import ACTION, in_block
from dynamic_sparsity.errors import UserError
from dynamic_sparsity.stores.opening import source_of
from dynamic_sparsity.stores.schema import IN, labels

CONTROLS = "ctrl:"
"""Stands before the name of a group of controls, to tell them from the state of the same joint or object."""


@dataclass(frozen=True)
class Blocks:
    """Groups of rows and of columns, numbered in the order of their first variable."""

    level: str
    """`joint` or `object`."""
    row_names: tuple[str, ...]
    column_names: tuple[str, ...]
    """Names of the groups; those of controls start with `ctrl:`."""
    rows: np.ndarray
    """Number of the group of each row of the Jacobian."""
    columns: np.ndarray
    """Number of the group of each column."""

    @classmethod
    def of(cls, jacobians: xr.Dataset, level: str) -> Blocks:
        """The groups of a level that a Jacobian store names (coordinates `out_joint`, `in_joint` and so on).

        Raises UserError for a store without these coordinates.
        """
        if f"in_{level}" not in jacobians.coords:
            raise UserError(f"{source_of(jacobians)} does not say which {level} a variable belongs to: make it again")
        is_control = in_block(jacobians[IN], ACTION)
        names = map(str, jacobians[f"in_{level}"].values)
        columns = [CONTROLS * bool(control) + name for name, control in zip(names, is_control, strict=True)]
        (row_names, row_numbers), (column_names, column_numbers) = (
            _numbered(list(map(str, jacobians[f"out_{level}"].values))),
            _numbered(columns),
        )
        return cls(level, row_names, column_names, row_numbers, column_numbers)

    @property
    def dims(self) -> tuple[str, str]:
        """Names of the dims over the groups of rows and of columns."""
        return f"row_{self.level}", f"column_{self.level}"

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Labels along `dims`."""
        return dict(zip(self.dims, (labels(self.row_names), labels(self.column_names)), strict=True))

    def reduce(self, ufunc: np.ufunc, entries: np.ndarray) -> np.ndarray:
        """`ufunc` over the entries of every block: [..., row, column] becomes [..., group of rows, group of columns]."""
        return _reduce(ufunc, _reduce(ufunc, entries, self.columns, axis=-1), self.rows, axis=-2)


def _reduce(ufunc: np.ufunc, entries: np.ndarray, numbers: np.ndarray, axis: int) -> np.ndarray:
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    return ufunc.reduceat(np.take(entries, order, axis=axis), starts, axis=axis)


def _numbered(names: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """The distinct names in the order of their first appearance, and the number of each name among them."""
    distinct = tuple(dict.fromkeys(names))
    return distinct, np.array([distinct.index(name) for name in names], dtype=np.intp)
