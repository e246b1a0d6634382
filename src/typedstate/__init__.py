"""Precise types for Flax NNX states."""
from .checking import check, explain, fits
from .errors import SchemaError, StateTypeError, TypedStateWarning
from .forms import *
from .forms import Abstract, Axis, Bind, Entries, Exactly, Like, Only, Plus, Pure, Rest, Same, Scoped, Shardings, Specs, Stacked, StateMap, StateOf, Values
from .report import Report, Unknown, Violation
from .schema import Alias, Shared, TypedState
from .boundary import checked
from .mode import suspended
