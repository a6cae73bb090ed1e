"""The page of `seqcast app`, for those who would rather look than program; built on NiceGUI, next to the server's API.

In reading order: `job_queue` (how functions run in other processes), `computations` (what runs there), `visitor_table`,
`visitors`, `recipes` (a visitor's work, without a browser), `charts`, `theme`, `panels` and `webpage` (what is seen),
`startup`.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
