"""The machine: Keras and its backend, compiled programs, memory, threads, worker processes, files.

It knows nothing of forecasting. In reading order: `backend`, `jit`, `program_cache`, `memory`, `threads`, `executors`,
`interrupts`, `caution`, `optional`, `files`, `archive`.

Stability: internal.
"""
