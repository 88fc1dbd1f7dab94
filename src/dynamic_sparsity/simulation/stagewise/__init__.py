"""The derivative of a physics step, stage by stage and in closed form.

`spatial`: spatial vectors; `tree`: who moves whom; `inertial`: inverse dynamics; `forces`: springs, dampers, actuators;
`geometry`: what depends on the position through tendons and other transmissions; `contacts` and `constraints`: the rows
of the constraint solver; `step`: all of it put together and chained over substeps (docs/method.md).
"""
