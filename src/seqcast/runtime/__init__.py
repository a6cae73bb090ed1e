"""The machine: Keras and its backend, compiled programs, memory, threads, worker processes, files.

It knows nothing of forecasting. In reading order: `backend`, `program_cache`, `programs`, `jit`,
`derivatives`, `scratch_memory`, `threads`, `process_group`, `executors`, `bounded_process`,
`interrupts`, `log`, `long_tasks`, `environment`, `file_checks`, `atomic_files`, `payload`,
`model_files`, `number_text`.

Stability: internal.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
