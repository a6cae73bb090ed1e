from .demo import QUICK as QUICK
from .demo import DemoSize as DemoSize
from .demo import run_demo as run_demo
from .runner import run_study as run_study
from .study_base import NAMES as NAMES
from .study_base import find_study as find_study
from .study_base import network as network
from .study_base import sine_windows as sine_windows
