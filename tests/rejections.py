"""Calls that are rejected: the error and what its message says."""

import pytest


def rejected(error, message, call, *arguments, **options):
    """Call a function, which raises this error with such a message."""
    with pytest.raises(error, match=message):
        call(*arguments, **options)


def rejections(cases):
    """Return a test of each case: a call, its error and what the message says. Names of a dictionary are its ids."""
    cases, names = (cases.values(), cases) if isinstance(cases, dict) else ([*cases], None)

    @pytest.mark.parametrize(("call", "error", "message"), cases, ids=names)
    def check(call, error, message):
        rejected(error, message, call)

    return check
