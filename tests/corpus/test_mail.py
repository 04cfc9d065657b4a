"""The mail corpora, all of them, with the score that must be reached. Failures are printed, so that each can be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.corpus import mail

Check = Callable[[mail.Case], Iterator[str]]


@pytest.mark.parametrize(
    ("corpus", "check", "least"),
    [
        ("email-mime", mail.mime_faults, 0.95),
        ("email-bounce", mail.bounce_faults, 0.97),
        ("email-forward", mail.forward_flag_faults, 0.98),
        ("email-forward", mail.forward_faults, 0.92),
        ("email-reply", mail.reply_faults, 0.90),
        ("email-helpdesk", mail.helpdesk_faults, 0.95),
    ],
)
def test_corpus(corpus: str, check: Check, least: float) -> None:
    cases = mail.cases(corpus)
    if not cases:
        pytest.skip(f"the corpus {corpus} is not beside the repository")
    wrong = {case["id"]: faults for case in cases if (faults := list(check(case)))}
    for case_id, faults in wrong.items():
        print(case_id, *faults, sep="\n    ")
    score = 1 - len(wrong) / len(cases)
    print(f"{corpus}, {check.__name__}: {score:.1%} of {len(cases)}")
    assert score >= least


def test_failed_recipients_are_found() -> None:
    bounces = [case for case in mail.cases("email-bounce") if case["expect"]["class"] == "bounce"]
    if not bounces:
        pytest.skip("the corpus email-bounce is not beside the repository")
    wrong = {case["id"]: faults for case in bounces if (faults := list(mail.recipient_faults(case)))}
    print(wrong)
    assert len(wrong) <= 0.1 * len(bounces)
