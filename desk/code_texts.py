"""What a mailed code says, in the languages of forms and chats (`ingest.form_texts.LANGUAGES`). Always the same words of one
language: nothing that anybody typed is in them, for the mail goes to somebody who may never have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class CodeText(NamedTuple):
    """`text` holds {name}, {link}, {code} and {minutes}; `subject` {name}."""

    subject: str
    text: str


CODE_TEXTS: Mapping[str, CodeText] = {
    "en": CodeText(
        "Your code for {name}",
        "Somebody who writes to {name} says that this address is theirs.\n\n"
        "If it was you, open this page:\n{link}\n\nor tell us this code: {code}\n\n"
        "Both are good once, and for {minutes} minutes. If it was not you, do nothing.",
    ),
    "tr": CodeText(
        "{name} için kodunuz",
        "{name} ile yazışan biri bu adresin kendisine ait olduğunu söylüyor.\n\n"
        "Bu sizseniz şu sayfayı açın:\n{link}\n\nya da bize şu kodu söyleyin: {code}\n\n"
        "İkisi de bir kez ve {minutes} dakika boyunca geçerlidir. Siz değilseniz hiçbir şey yapmayın.",
    ),
    "pl": CodeText(
        "Twój kod dla {name}",
        "Osoba, która pisze do {name}, podaje, że ten adres należy do niej.\n\n"
        "Jeśli to Ty, otwórz tę stronę:\n{link}\n\nalbo podaj nam ten kod: {code}\n\n"
        "Jedno i drugie działa jeden raz, przez {minutes} minut. Jeśli to nie Ty, nic nie rób.",
    ),
    "nb": CodeText(
        "Koden din for {name}",
        "Noen som skriver til {name}, sier at denne adressen er deres.\n\n"
        "Hvis det var deg, åpne denne siden:\n{link}\n\neller oppgi denne koden til oss: {code}\n\n"
        "Begge kan brukes én gang, i {minutes} minutter. Hvis det ikke var deg, trenger du ikke gjøre noe.",
    ),
    "lt": CodeText(
        "Jūsų kodas – {name}",
        "Kažkas, kas rašo {name}, nurodė, kad šis adresas yra jo.\n\n"
        "Jei tai buvote jūs, atverkite šį puslapį:\n{link}\n\narba pasakykite mums šį kodą: {code}\n\n"
        "Abu galioja vieną kartą ir {minutes} min. Jei tai buvote ne jūs, nieko nedarykite.",
    ),
}
