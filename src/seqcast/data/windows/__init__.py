"""Windows of series and arrays, batch by batch.

In reading order: `order`, `gaps`, `batches`, `reader`, `origins`.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
