"""The doctor: probes which leaves a state has on the installed Flax and JAX.

`typedstate.doctor()` and `typedstate.doctor.doctor()` are the same: the package itself can be
called.
"""

from __future__ import annotations

import sys
from types import ModuleType

from typedstate.doctor.diagnosis import Diagnosis, diagnose
from typedstate.doctor.findings import Findings
from typedstate.doctor.probe import probe as _probe
from typedstate.doctor.record import load as _load
from typedstate.doctor.stubs import stubs as _stubs

__all__ = ["Diagnosis", "Findings", "doctor"]


def doctor() -> Diagnosis:
    """Probe the installed pair of Flax and JAX and compare it with the record.

    Takes some seconds: it builds real modules and runs their states through every transform on one
    device. A probe that raises is itself a finding, never an error.

    Example::

        result = typedstate.doctor()
        result.as_recorded                      # True
        result.findings.leaves["Linear"]["in jax.jit"]      # 'Param[DynamicJaxprTracer]'
        print(result)
    """
    return diagnose(_probe(), _load(), _stubs())


class _Callable(ModuleType):
    """This package, callable, so that `typedstate.doctor` may be both."""

    def __call__(self) -> Diagnosis:
        """`doctor()`."""
        return doctor()


sys.modules[__name__].__class__ = _Callable
