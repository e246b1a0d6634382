from .emitter import address as address, is_aval as is_aval
from .guard_code import generate as generate
from .size_code import ArgumentRef as ArgumentRef
from .size_constraints import constraints_of as constraints_of, resized as resized
from .value_code import NotCompilable as NotCompilable
