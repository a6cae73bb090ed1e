"""The page of `seqcast app`, built on NiceGUI: forecasts without programming.

In reading order: `settings`; `job_queue` and `computations` run functions in other processes;
`visitor_table`, `visitors` and `recipes` are a visitor's work without a browser; `charts`, `theme`,
`panels` and `webpage` show it; `startup` serves it.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
