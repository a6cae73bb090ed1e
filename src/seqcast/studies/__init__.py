"""Studies: the open questions of the post, each a command that trains networks and reports a finding.

    seqcast study periods            # one of them
    seqcast study all --quick        # proves the path of each

A study (`study.Study`) is a grid of settings, a `run` of one setting and seed, pictures of all results and a finding.
`runner` computes runs in parallel. Each run is a file (`cache`), keyed by its setting, the code that it can
execute and the versions of the libraries, so that an interrupted study goes on where it stopped and a finished one
draws at once. A run trains its networks through `study.Trainings`, with checkpoints from which it goes on. `tasks` and
`oracle` are shared by studies; `demo` is the post's job and a real series.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["NAMES", "find_study"]
