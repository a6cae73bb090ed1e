from .defaults import default_space as default_space
from .result import TuningResult as TuningResult
from .space import Choice as Choice
from .space import Range as Range
from .study import tune as tune
