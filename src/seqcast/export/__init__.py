"""Export: a fitted estimator as one ONNX file, which forecasts from raw values wherever ONNX runs.

Arithmetic is that of NumPy: ndonnx records it as operators. Modules, in reading order: `onnx_file`
(inputs, outputs, metadata), `operators` (dense and recurrent layers, attention), `encoding`,
`decoding`, `network_file` (one network), `calendar`, `window_rows` (before and after it),
`forecaster_file`, `regressor_file`.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
