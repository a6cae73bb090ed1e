"""Long data frames: read and checked once, turned into series, and built from forecasts.

In reading order: `stamps`, `frequency`, `numerals`, `frame_columns`, `forms`, `schema`,
`long_frame`, `regular`, `frame_reader`, `closed_steps`, `row_lookup`. For rows beyond memory
`row_sources`, `sources` and `sharded`. `arrow_columns` is for tables of Arrow.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
