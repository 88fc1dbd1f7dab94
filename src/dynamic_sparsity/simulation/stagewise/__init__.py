"""The derivative of a physics step, stage by stage and in closed form (docs/method.md).

`spatial`: spatial vectors; `tree`: which degree of freedom moves which body; `inertial`: inverse dynamics; `forces`:
springs, dampers and actuators; `geometry`: tendons, transmissions and rows whose Jacobian depends on the position;
`rotations`: quaternions; `contacts` and `constraints`: the rows of the constraint solver; `iterations`: the solver's
iterations; `step`: the whole step, chained over substeps.
"""
