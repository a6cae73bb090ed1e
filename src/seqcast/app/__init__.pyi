from .startup import run_page as run_page
from .visitors import MEBIBYTE as MEBIBYTE
from .visitors import AppSettings as AppSettings
