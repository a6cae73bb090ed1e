"""Series as rows laid end to end, and their scaling: `store`, `statistics`, `scalers`."""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
