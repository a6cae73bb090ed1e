"""Long data frames: read and checked once, turned into series, and built from forecasts.

In reading order: `frequency`, `columns`, `schema`, `regular`, `long_frame`, `table`, `future`, `io`.
"""
