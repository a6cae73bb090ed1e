"""What the panels of one visitor's page share: the session, and who wants to know when it has changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from types import MethodType
from typing import Any

from nicegui import ui

from seqcast.app.session import Session, Sessions
from seqcast.app.theme import explain_problem
from seqcast.errors import SeqcastError

logger = logging.getLogger("seqcast.app")


def refreshable(method: Callable[[Any], None]) -> cached_property[ui.refreshable[[], None]]:
    """Let a method of a panel be written anew by its `refresh`.

    `ui.refreshable_method` is one for all visitors, and keeps the panels and tables of those who have left.

    Args:
        method: Writes a part of the panel.
    """
    return cached_property(lambda panel: ui.refreshable(MethodType(method, panel)))


class Context:
    """The page of a visitor.

    Args:
        sessions: All visitors.
        session: This one's work.
        dark: The switch between light and dark.
    """

    def __init__(self, sessions: Sessions, session: Session, dark: ui.dark_mode) -> None:
        self.sessions, self.session, self.dark_mode = sessions, session, dark
        self.settings = sessions.settings
        self.tabs: ui.tabs | None = None
        self._refreshers: list[Callable[[], Any]] = []

    @property
    def dark(self) -> bool:
        """Whether the page is dark."""
        return bool(self.dark_mode.value)

    def go_to(self, panel: str) -> None:
        """Show a panel.

        Args:
            panel: Its name in `seqcast.app.page.PANELS`.
        """
        if self.tabs is not None:
            self.tabs.set_value(panel)

    def on_change(self, refresh: Callable[[], Any]) -> None:
        """Have a function called whenever the session, or what it is drawn on, has changed.

        Args:
            refresh: The function.
        """
        self._refreshers.append(refresh)

    def changed(self) -> None:
        """Refresh all panels."""
        for refresh in self._refreshers:
            refresh()

    def tell(self, error: BaseException) -> None:
        """Tell the visitor of a problem that has no place of its own.

        Args:
            error: The error.
        """
        if not isinstance(error, SeqcastError):
            logger.error("unexpected", exc_info=error)
        ui.notify(explain_problem(error), type="negative", multi_line=True, timeout=10_000, close_button="Close")
