from .guard_code import (
    NotCompilable as NotCompilable,
    address as address,
    generate as generate,
    is_aval as is_aval,
)
from .size_code import ArgumentRef as ArgumentRef
from .size_constraints import constraints_of as constraints_of, resized as resized
