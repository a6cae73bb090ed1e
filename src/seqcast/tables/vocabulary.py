"""Words in the names of columns, by meaning: times, series, values, and what explains a value.

A list has the likeliest word first. A new language is a few words in each list.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text.

    Args:
        text: The text.
    """
    return tuple(text.split())


@dataclass(frozen=True)
class Words:
    """Words with one meaning.

    Args:
        listed: The words, the likeliest first.
        at_ends: Whether a word counts only as the first or last one of a name, as in `sold_north`.
    """

    listed: tuple[str, ...]
    at_ends: bool = False

    @classmethod
    def of(cls, text: str, *, at_ends: bool = False) -> "Words":
        """Return the words of a text.

        Args:
            text: The words, between spaces.
            at_ends: As for the class.
        """
        return cls(words_of(text), at_ends)

    @lru_cache(maxsize=10_000)  # noqa: B019 - the lists of words live as long as the module
    def rank(self, name: str) -> int | None:
        """Return the place of a name among the words.

        Words that are the whole name come before those within it.

        Args:
            name: The name of a column.

        Returns:
            The place from 0, or `None` for a name without any of the words.

        Example:
            >>> VALUES.rank("Sales") < VALUES.rank("Total sales"), TIMES.rank("colour")
            (True, None)
        """
        plain = re.sub(r"[ \-.]", "_", name.strip().lower())
        if plain in self.listed:
            return self.listed.index(plain)
        # A unit in brackets is no part of a name.
        parts = [part for part in re.sub(r"[(\[].*", "", plain).split("_") if part] or [plain]
        known = {parts[0], parts[-1]} if self.at_ends else set(plain.split("_"))
        for place, word in enumerate(self.listed, len(self.listed)):
            # Chinese and Japanese write no spaces.
            if len(word) > 1 and (word in known if word.isascii() else word in plain):
                return place
        return None

    def occur_in(self, name: str) -> bool:
        """Return whether a name has one of the words.

        Args:
            name: The name of a column.
        """
        return self.rank(name) is not None

    def is_name(self, name: str) -> bool:
        """Return whether a word is the whole name.

        Args:
            name: The name of a column.
        """
        return name.strip().lower() in self.listed

    def is_within(self, name: str) -> bool:
        """Return whether a word is anywhere in a name, also as a part of a longer word.

        Args:
            name: The name of a column.
        """
        plain = name.strip().lower()
        return any(word in plain for word in self.listed)

    def ranked(self, names: Iterable[str]) -> list[str]:
        """Return the names that have one of the words, the likeliest first.

        Args:
            names: Names of columns.
        """
        return sorted(filter(self.occur_in, names), key=lambda name: self.rank(name) or 0)


TIMES = Words.of("""ds timestamp datetime date_time date time ts day week month quarter year period
    periode elapsed datum zeit monat jahr fecha tiempo periodo mes mois temps période tempo data
    mese tid maand""")
SERIES = Words.of("""unique_id id series series_id item_id item sku product store shop name key dept
    department category family region country state city location site station sensor meter branch
    customer symbol ticker stock code line host""")
# Those before `count` name a value whatever stands beside it.
VALUES = Words.of(
    """y value actual actuals ist sales sold demand quantity qty count units amount attendance close
    menge absatz umsatz wert ventes ventas vendite valor valeur obs_value sessions visitors visits
    guests customers orders revenue turnover target""",
    at_ends=True,
)
SURE_VALUES = Words(VALUES.listed[: VALUES.listed.index("count")])
# What instruments measure.
MEASURED = Words.of("temperature temp humidity pressure wind rain precipitation")
# What is set, planned or measured next to a value; fields of the calendar.
BESIDE = Words(
    MEASURED.listed
    + Words.of("""price promo promotion discount holiday open high low cost budget hour
    forecast prognose prévision plan predicted soll variance abweichung difference diff prior ly
    予測 预测 計画 计划 pronóstico previsione prognoza tahmin dayofweek dow day week
    weekday weekend month quarter year profit staff personal employees
    preis prix precio prezzo aktion pvp cena
    fiyat battery batterie rssi latitude longitude lat lon lng capacity kapasitet""").listed
)
# Running totals.
CUMULATIVE = Words.of("""cum cumulative cumulated ytd kumuliert cumul cumulé acumulado cumulato
    kumulativ 累计 累計 누계""")
# Units of the values in the same row.
UNITS = Words.of("""currency unit units uom währung einheit devise monnaie unité moneda divisa
    unidad valuta moeda waluta""")
PRICES = Words.of("price")
HOURS = Words.of("hour stunde uur heure hora ora óra godzina hodina saat timme tunti jam")
YEARS = Words.of("year yyyy yr jahr année annee año ano ejercicio anno år ar jaar rok vuosi yıl")
DAYS = Words.of("day dd tag")
DATES = Words.of("date datum fecha data dato dátum day tag month monat datetime timestamp")
# Parts of a day, which name no series next to a date.
WITHIN_DAYS = Words(
    HOURS.listed + Words.of("hours hr hh hhmm h minute minutes min interval period ampm").listed
)
# Parts of a year; a word may stand anywhere in a name.
WITHIN_YEARS = {
    "week": Words.of("week woche kw uke vecka uge semaine semana settimana viikko"),
    "month": Words.of("month mm monat mois mes mês mese måned månad maand kuukausi"),
    "quarter": Words.of("quarter quartal trimestre kvartal kwartał çeyrek neljännes"),
}
PARTS_OF_YEARS = Words(tuple(word for words in WITHIN_YEARS.values() for word in words.listed))


def shared_word(names: Sequence[str], *meanings: Words) -> bool:
    """Return whether one word is in all names.

    Args:
        names: Names of columns.
        meanings: Words.

    Example:
        >>> shared_word(["sales north", "sales south"], VALUES)
        True
        >>> shared_word(["sales", "rain"], VALUES, BESIDE)
        False
    """
    words = dict.fromkeys(word for meaning in meanings for word in meaning.listed)
    alone = (Words((word,), at_ends=word in VALUES.listed) for word in words)
    return any(all(map(each.occur_in, names)) for each in alone)
