"""Ids that join mails, ids that must not, and what makes two mails the same."""

from __future__ import annotations

from ingest.mail import mime
from ingest.mail.headers import split
from ingest.mail.threading import chain, ids, provider_id, stripped_subject


def test_junk_is_no_id() -> None:
    assert ids("<>") == []
    assert ids("< > <@> <..>") == []
    assert ids("") == []
    assert chain(split(b"In-Reply-To: Your message of Monday\nReferences: <>")) == ()


def test_the_chain_holds_every_id_once() -> None:
    fields = split(b"References: <a@x>\n <b@x> <a@x>\nIn-Reply-To: <b@x> <c@x>\nMessage-ID: <d@x>")
    assert chain(fields) == ("a@x", "b@x", "c@x")


def test_another_way_is_the_same_mail_and_another_body_is_not() -> None:
    mail = b"Message-ID: <a@x>\nSubject: s\n\nbody"
    other = b"Message-ID: <a@x>\nSubject: s\n\nother"
    by_list = b"Received: from list\n" + mail
    assert _id(mail) == _id(by_list)
    assert _id(mail).startswith("a@x:")
    assert _id(mail) != _id(other)


def test_without_a_message_id_the_bytes_count() -> None:
    assert _id(b"Subject: s\n\nbody").startswith("sha256:")


def _id(raw: bytes) -> str:
    return provider_id(mime.parse(raw), raw)


def test_subject_prefixes_of_many_languages() -> None:
    for subject in (
        "Re: x",
        "AW: WG: x",
        "SV: VS: x",
        "Re[2]: x",
        "RE (3): x",
        "Ynt: İLT: x",
        "回复：转发: x",
        "[Fwd: x]",
        "Ответ: x",
    ):
        assert stripped_subject(subject) == "x"
    assert stripped_subject("Reset: x") == "Reset: x"
