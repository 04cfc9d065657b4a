"""When we are there again, as one says it to customers."""

from __future__ import annotations

from datetime import datetime, tzinfo

_DAYS: dict[str, tuple[str, ...]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "tr": ("Pazartesi", "Salı", "Çarşamba", "Perşembe", "Cuma", "Cumartesi", "Pazar"),
    "pl": ("poniedziałek", "wtorek", "środa", "czwartek", "piątek", "sobota", "niedziela"),
    "nb": ("mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag"),
    "lt": (
        *("pirmadienis", "antradienis", "trečiadienis", "ketvirtadienis", "penktadienis"),
        *("šeštadienis", "sekmadienis"),
    ),
}


def spoken(opening: datetime, zone: tzinfo, language: str) -> str:
    """`Monday 08:00` in the department's own time. Languages that are not known here get English."""
    local = opening.astimezone(zone)
    return f"{_DAYS.get(language, _DAYS['en'])[local.weekday()]} {local:%H:%M}"
