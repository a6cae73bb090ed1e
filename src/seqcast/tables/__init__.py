"""Tables in files: from bytes to a plain long frame, with columns that are named or guessed.

In reading order: `reader_process` and its program `reader_script`, `dialect`, `number_marks`,
`dates`, `tidying`, `layouts`, `vocabulary`, `profiles`, `readings`, `guess`, `contents`,
`file_kinds`, `open_table`, `writing`; and `partitioning` for tables larger than memory.

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
