from .findings import Findings as Findings
from .placed_as import guard_places as guard_places, note_places as note_places
from .trace import Guard as Guard, Trace as Trace
from .walk import Walk as Walk
