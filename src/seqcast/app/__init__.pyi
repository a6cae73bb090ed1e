from .settings import AppSettings as AppSettings
from .startup import run_page as run_page
