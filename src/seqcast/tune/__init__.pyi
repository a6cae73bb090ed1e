from .result import TuningResult as TuningResult
from .space import Choice as Choice
from .space import Range as Range
from .space import default_space as default_space
from .study import tune as tune
