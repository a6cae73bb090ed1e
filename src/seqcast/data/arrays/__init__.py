"""Arrays of windows for the regressor: `checks`, `preparation`, `streams`."""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
