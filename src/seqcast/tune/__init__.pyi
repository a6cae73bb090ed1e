from .result import TuningResult as TuningResult
from .script import Code as Code
from .script import python_call as python_call
from .script import python_imports as python_imports
from .search import tune as tune
from .space import Choice as Choice
from .space import Range as Range
from .space import default_space as default_space
