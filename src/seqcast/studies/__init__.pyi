from .demo import QUICK as QUICK
from .demo import DemoSize as DemoSize
from .demo import run_demo as run_demo
from .experiments import NAMES as NAMES
from .experiments import find_study as find_study
from .experiments import network as network
from .experiments import sine_windows as sine_windows
from .runner import run_study as run_study
