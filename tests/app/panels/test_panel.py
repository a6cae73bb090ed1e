import asyncio
import gc
import weakref

import pytest
from nicegui import Client, core, ui

from seqcast.app.panels.panel import Panel, refreshable


class Counting(Panel):
    """A panel that counts how often its section is written."""

    def __init__(self):
        self.written = 0

    @refreshable
    def _show(self):
        self.written += 1
        ui.label(str(self.written))


@pytest.mark.parametrize(("leaves", "written"), [(False, 2), (True, 1)])
def test_a_section_of_a_visitor_who_has_left_is_not_written_and_not_kept(
    monkeypatch, leaves, written
):
    """A refresh runs after the code that asks for it; the visitor may leave in between."""

    async def visit():
        monkeypatch.setattr(core, "loop", asyncio.get_running_loop())
        client = Client(ui.page("/"), request=None)
        panel = Counting()
        with client:
            panel._show()
        panel.refresh()
        if leaves:
            client.delete()
        for _ in range(5):  # the refresh is a task of the loop
            await asyncio.sleep(0)
        assert panel.written == written
        if not leaves:
            client.delete()
        return weakref.ref(panel)

    left = asyncio.run(visit())
    gc.collect()
    assert left() is None
