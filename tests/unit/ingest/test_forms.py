"""The bodies of forms: one content, one sequence of bytes."""

from __future__ import annotations

import httpx
import pytest

from contracts.errors import Poison, Refused
from ingest import forms


def multipart(boundary: str, files: int = 1) -> tuple[bytes, str]:
    request = httpx.Request(
        "POST",
        "http://door/",
        data={"message": "hello", "name": "Ann"},
        files=[("files", (f"{n}.txt", b"--frontier\r\n" * 3, "text/plain")) for n in range(files)],
        headers={"content-type": f"multipart/form-data; boundary={boundary}"},
    )
    return request.read(), request.headers["content-type"]


def test_the_boundary_of_a_browser_makes_no_difference() -> None:
    first, second = multipart("WebKitAbc"), multipart("WebKitXyz")
    assert first != second
    assert forms.settled(*first) == forms.settled(*second)
    assert forms.parse(*forms.settled(*first)) == forms.parse(*first)


def test_another_content_is_other_bytes() -> None:
    assert forms.settled(*multipart("a", files=1)) != forms.settled(*multipart("a", files=2))


@pytest.mark.parametrize(
    "kind", ["application/json", "", "multipart/form-data", "multipart/form-data; boundary="]
)
def test_what_has_no_boundary_stays(kind: str) -> None:
    assert forms.settled(b"--x\r\n{}", kind) == (b"--x\r\n{}", kind)


def test_a_field_in_another_charset_is_named() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="subject"\r\n\r\n\xff\xfe\r\n--x--\r\n'
    with pytest.raises(Refused) as refused:
        forms.parse(body, "multipart/form-data; boundary=x")
    assert refused.value.field == "subject"


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b'{"email":', "application/json", "truncated"),
        (b'{"email" 1}', "application/json", "byte 9"),
        (b"message=\xff", forms.URLENCODED, "not UTF-8 (byte 8)"),
    ],
)
def test_what_cannot_be_decoded_says_where(body: bytes, kind: str, says: str) -> None:
    with pytest.raises(Poison) as poison:
        forms.parse(body, kind)
    assert says in poison.value.detail
