from .run import run_page as run_page
from .settings import MEBIBYTE as MEBIBYTE
from .settings import AppSettings as AppSettings
