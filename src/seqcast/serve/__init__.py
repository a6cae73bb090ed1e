"""Forecasts over HTTP: FastAPI and uvicorn, from the extra `serve`. `docs/serving.md` says how to use it.

Stability: experimental.
"""
