"""Trees that follow from a schema: abstract states, partition specs, shardings."""

from .trees import abstract, shardings, specs

__all__ = ["abstract", "shardings", "specs"]
