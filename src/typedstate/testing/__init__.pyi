from .examples import example as example
from .strategies import (
    BrokenState as BrokenState,
    broken_states as broken_states,
    states as states,
)
