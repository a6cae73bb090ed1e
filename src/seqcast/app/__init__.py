"""The page of `seqcast app`, for those who would rather look than program; built on NiceGUI, beside the server's API.

In reading order: `settings`, `worker` and `jobs` (what computes, and how it is waited for), `tasks` and `post` (what is
computed), `table`, `session`, `assumptions`, `estimates`, `recipes` (a visitor's work, without a browser), `charts`,
`theme`, `context`, `panels` and `page` (what is seen), `run`.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
