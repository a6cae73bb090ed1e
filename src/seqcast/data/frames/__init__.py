"""Long data frames: read and checked once, turned into series, and built from forecasts.

In reading order: `stamps`, `frequency`, `stamp_formats`, `columns`, `keys`, `forms`, `schema`, `regular`,
`long_frame`, `table`, `future`; and for files `dialect`, `numerals`, `dates`, `excess`, `packed`, `binary`,
`reader_process` and its program `reader_script`, `io`, `writing`, and `places`, what a place in them is called. Of rows
beyond memory `sources`, `pieces`, `sharded`.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
