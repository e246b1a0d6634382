from .findings import Findings as Findings
from .trace import Guard as Guard, Trace as Trace
from .walk import Walk as Walk
