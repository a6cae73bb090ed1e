"""Names of the columns and covariates of a long frame."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from seqcast.errors import SpecError, suggest_name
from seqcast.specs.base import Spec, set_fields
from seqcast.specs.checks import check_characters

# Formats of time stamps other than times and text: whole numbers that are no dates, and counts
# since 1970.
DS_FORMATS = ("integer", "unix_s", "unix_ms", "unix_us", "unix_ns")


@dataclass(frozen=True)
class Columns(Spec):
    """Names of the columns of a long frame.

    Args:
        unique_id: The column with the name of the series.
        ds: The column with the time stamp.
        y: The column with the target, or several columns, which are forecast together.
        ds_format: The format of time stamps that are whole numbers or text: a format of `strptime`,
            such as `%Y%m%d`; a count since 1970, `unix_s`, `unix_ms`, `unix_us` or `unix_ns`; or
            `integer`, whole numbers that are no dates. `None` recognises dates and counts among
            whole numbers, and rejects text.
        tz: Time zone of time stamps without a zone, such as `Europe/Berlin`. The order of the rows
            resolves an hour that occurs twice. Time stamps with a zone are converted to this one.
        weight: The column with the weight of each row, `>= 0`, in the losses of trainings and on
            hold-out windows. A window weighs as much as the rows that it forecasts do in the mean;
            a row of weight 0 counts as missing. Rows that follow a fit may leave the column out.

    Example:
        >>> Columns(unique_id="shop", ds="day", y="sales").ds
        'day'
        >>> Columns(y=["open", "close"]).targets
        ('open', 'close')
    """

    unique_id: str = "unique_id"
    ds: str = "ds"
    y: str | tuple[str, ...] = "y"
    ds_format: str | None = None
    tz: str | None = None
    weight: str | None = None

    def __post_init__(self) -> None:
        if self.ds_format is not None:
            _check_format(self.ds_format)
        if self.tz is not None:
            _check_zone(self.tz)
        set_fields(self, y=_checked_target(self.y))
        for where, name in self.named():
            _check_name(f"columns.{where}", name)

        names = list(self.names)
        if len(set(names)) < len(names):
            raise SpecError(
                "columns", expected="different names", received=repr(names), hint="Rename one."
            )
        self._check_reserved()

    def _check_reserved(self) -> None:
        """Reject names that the forecasts of several targets use."""
        reserved = [name for name in (self.unique_id, self.ds) if name in ("target", self.value)]
        if len(self.targets) > 1 and reserved:
            raise SpecError(
                "columns",
                expected=(
                    f"other names than 'target' and {self.value!r}, which the forecasts of several "
                    "targets have"
                ),
                received=repr(reserved[0]),
                hint="Rename the column.",
            )

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns."""
        return self.y if isinstance(self.y, tuple) else (self.y,)

    @property
    def value(self) -> str:
        """Name of the column of true values in tables of forecasts: `y` for several targets."""
        return "y" if isinstance(self.y, tuple) else self.y

    def named(self) -> list[tuple[str, str]]:
        """Return pairs of field and column name, one for each target."""
        weight = [] if self.weight is None else [("weight", self.weight)]
        return [
            ("unique_id", self.unique_id),
            ("ds", self.ds),
            *(("y", name) for name in self.targets),
            *weight,
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """All column names."""
        return tuple(name for _, name in self.named())


def _checked_target(y: str | Sequence[str]) -> str | tuple[str, ...]:
    """Return the name of a target, or of several ones."""
    if isinstance(y, str) or not isinstance(y, Sequence):
        return y
    if not len(y):
        raise SpecError(
            "columns.y", expected="a column's name", received=repr(y), hint="Name one or more."
        )
    return y[0] if len(y) == 1 else tuple(y)


def _check_name(where: str, name: str) -> None:
    if not isinstance(name, str) or not name:
        raise SpecError(
            where, expected="a column's name", received=repr(name), hint="Give a string."
        )
    check_characters(where, name)


def _check_zone(tz: str) -> None:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(tz)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise SpecError(
            "columns.tz",
            expected="the name of a time zone, such as 'Europe/Berlin' or 'UTC'",
            received=repr(tz),
            hint=suggest_name(tz, zoneinfo.available_timezones())
            or "Names are those of the IANA database.",
        ) from error


def _check_format(ds_format: str) -> None:
    if not isinstance(ds_format, str) or (ds_format not in DS_FORMATS and "%" not in ds_format):
        raise SpecError(
            "columns.ds_format",
            expected=f"a format such as '%Y%m%d', or one of {', '.join(map(repr, DS_FORMATS))}",
            received=repr(ds_format),
            hint="Codes such as %Y and %m are those of Python's strptime.",
        )


def _checked_names(where: str, names: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        names = (names,)
    is_sequence = isinstance(names, Sequence)
    if not is_sequence or not all(isinstance(name, str) and name for name in names):
        raise SpecError(
            where,
            expected="names of columns",
            received=repr(names),
            hint="Give a tuple of names.",
        )
    return tuple(names)


@dataclass(frozen=True)
class Covariates(Spec):
    """Names of the covariates of a long frame.

    Args:
        static: Columns that are constant within a series.
        past: Columns that are known up to the cutoff.
        future: Columns that are known for the whole horizon.

    Raises:
        SpecError: A name is no text, or occurs twice.

    Example:
        >>> Covariates(static=["region"], future="price").future
        ('price',)
    """

    static: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        roles: dict[str, str] = {}
        for item in fields(self):
            where = f"{item.name}_covariates"
            names = _checked_names(where, getattr(self, item.name))
            for name in names:
                check_characters(where, name)
                if name in roles:
                    raise SpecError(
                        where,
                        expected="each column once",
                        received=f"{name!r}, which is in {roles[name]} already",
                        hint=(
                            "A column that is known ahead is a future covariate; its past is read "
                            "too."
                        ),
                    )
                roles[name] = where
            set_fields(self, **{item.name: names})

    @property
    def varying(self) -> tuple[str, ...]:
        """The columns that change within a series: past ones, then future ones."""
        return (*self.past, *self.future)

    def check_beside(self, columns: Columns) -> None:
        """Reject a covariate that is the id, the time stamp or a target.

        Args:
            columns: The other columns.
        """
        for item in fields(self):
            for name in getattr(self, item.name):
                if name in columns.names:
                    raise SpecError(
                        f"{item.name}_covariates",
                        expected=f"other columns than {', '.join(map(repr, columns.names))}",
                        received=repr(name),
                        hint=(
                            "A target's own past is always read, and ids are not known for new "
                            "series."
                        ),
                    )
