"""Forecasts over HTTP: FastAPI and uvicorn, from the extra `serve`. `docs/serving.md` says how to use it.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
