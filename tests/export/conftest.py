"""Files are run by onnxruntime, on one thread."""

import json

import onnxruntime
import pytest


class Session:
    """A file that is open for forecasts.

    Args:
        content: Its path or its bytes.
    """

    def __init__(self, content):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )

    @property
    def inputs(self):
        return {port.name: port.shape for port in self.session.get_inputs()}

    @property
    def metadata(self):
        return json.loads(self.session.get_modelmeta().custom_metadata_map["seqcast"])

    def __call__(self, **feeds):
        names = [port.name for port in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, feeds), strict=True))


@pytest.fixture(scope="session")
def run_file():
    """Return what opens a file, from its path or its bytes."""
    return lambda content: Session(content if isinstance(content, bytes) else str(content))
