"""Arrays of windows for the regressor: `array_checks`, `preparation`, `batch_streams`."""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
