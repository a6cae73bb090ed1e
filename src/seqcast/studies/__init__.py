"""Studies: the open questions of the post, each a command that trains networks and reports a finding.

    seqcast study periods            # one of them
    seqcast study all --quick        # a small grid of each

A study (`experiments.Study`) is a grid of settings, a measurement of one setting and seed, pictures of all results and
a finding. `runner` measures in parallel. Each result is a file, keyed by its setting, its seed and the versions of
seqcast and of the libraries. So an interrupted study goes on where it stopped, and a finished one draws at once. The
studies are in `representation`, `identifiability`, `teacher_forcing`, `generalisation` and `sizes`; `demo` is the
post's job and a real series.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["NAMES", "find_study"]
