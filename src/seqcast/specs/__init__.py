"""Specs: frozen, checked options as plain data, to and from JSON.

A spec checks its options when it is created, so every spec is valid. In reading order: `checks`,
`base`, `columns`, `network`, `training`, `presets`.

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
