from .boundaries.decorator import checked as checked
from .boundaries.import_hook import install_import_hook as install_import_hook
from .boundaries.merging import Merges as Merges
from .boundaries.nnx_functions import merge as merge, update as update
from .checking import (
    check as check,
    explain as explain,
    fits as fits,
    source_of as source_of,
)
from .comparison.compare import diff as diff
from .comparison.difference import Change as Change, Difference as Difference
from .derive.trees import (
    abstract as abstract,
    shardings as shardings,
    specs as specs,
)
from .doctor import doctor as doctor
from .errors import (
    SchemaError as SchemaError,
    StateTypeError as StateTypeError,
    TypedStateWarning as TypedStateWarning,
    UnlinkedDimsWarning as UnlinkedDimsWarning,
)
from .export.document import SchemaDocument as SchemaDocument
from .export.source import to_source as to_source
from .forms import (
    Abstract as Abstract,
    Axis as Axis,
    Bind as Bind,
    Cast as Cast,
    Entries as Entries,
    Exactly as Exactly,
    Flat as Flat,
    Having as Having,
    Like as Like,
    MemoryKind as MemoryKind,
    Only as Only,
    Placed as Placed,
    PlacedAs as PlacedAs,
    PlacedBy as PlacedBy,
    Plus as Plus,
    Pure as Pure,
    Rest as Rest,
    Same as Same,
    Scoped as Scoped,
    Sharded as Sharded,
    Shardings as Shardings,
    Specs as Specs,
    Stacked as Stacked,
    StateMap as StateMap,
    StateOf as StateOf,
    Values as Values,
)
from .inference.infer import infer as infer
from .inference.optimizer import optimizer_state as optimizer_state
from .mode import suspended as suspended
from .pictures.picture import Picture as Picture, show as show
from .report import (
    Report as Report,
    Unknown as Unknown,
    Violation as Violation,
)
from .schema.field import Alias as Alias, Shared as Shared
from .schema.typed_state import TypedState as TypedState

__version__: str
