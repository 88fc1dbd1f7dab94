"""The kinematic tree for graph networks: parents of degrees of freedom, and which ones inputs and outputs belong to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KinematicTree:
    """The kinematic tree of one model; its nodes are the degrees of freedom."""

    parents: tuple[int, ...]
    """The parent of each degree of freedom, which is the next one towards the world, or -1."""
    of_inputs: tuple[tuple[int, ...], ...]
    """The degrees of freedom that each input (position, velocity, activation, control) belongs to or drives."""
    of_outputs: tuple[int, ...]
    """The degree of freedom that each output is read from."""

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return len(self.of_inputs)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.of_outputs)

    @classmethod
    def of_one_body(cls, inputs: int, outputs: int) -> KinematicTree:
        """A tree with all variables on one degree of freedom, for networks that do not use the tree."""
        return cls(parents=(-1,), of_inputs=((0,),) * inputs, of_outputs=(0,) * outputs)
