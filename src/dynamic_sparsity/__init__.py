"""Which entries of a robot's transition Jacobian are zero, when, and for how long."""

__version__ = "0.1.0"
