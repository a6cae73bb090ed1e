from .demo import QUICK as QUICK
from .demo import DemoSize as DemoSize
from .demo import run_demo as run_demo
from .runner import run_study as run_study
from .study import NAMES as NAMES
from .study import find_study as find_study
from .tasks import network as network
from .tasks import sine_windows as sine_windows
