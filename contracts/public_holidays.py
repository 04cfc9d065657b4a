"""Public holidays of countries, as the `holidays` package knows them. Its version is locked: the same dates everywhere."""

from __future__ import annotations

from datetime import date
from functools import cache

import holidays


@cache
def public_holidays(country: str, region: str | None, year: int) -> frozenset[date]:
    """The local dates. Raises `NotImplementedError` for a country or region that is not known."""
    return frozenset(holidays.country_holidays(country, subdiv=region, years=year))


@cache
def countries() -> dict[str, tuple[str, ...]]:
    """Every country that is known, by its ISO 3166 code of two letters, with its regions."""
    return {
        code: tuple(regions)
        for code, regions in holidays.list_supported_countries().items()
        if len(code) == 2
    }
