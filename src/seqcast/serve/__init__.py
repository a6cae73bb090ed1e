"""Forecasts over HTTP with FastAPI and uvicorn, from the extra `serve`; see `docs/serving.md`.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
