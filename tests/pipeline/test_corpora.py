"""Every whole mail of the shared corpora goes through the running pipeline: nothing crashes, nothing is unaccounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.chain import Chain

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
FOLDERS = ("email-mime", "email-helpdesk", "email-bounce", "email-reply", "email-forward")


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpora are not beside the repository")
def test_every_mail_of_the_corpora_ends_somewhere(tmp_path: Path) -> None:
    mails = [path for folder in FOLDERS for path in sorted((CORPUS / folder).rglob("*.eml"))]
    assert mails
    with Chain(tmp_path) as chain:
        done = chain.command("ingest", "email", "--account", "support", "--json", *map(str, mails))
        assert done.returncode == 0, done.stderr
        books = chain.settle()
        assert books["residual"] == 0, books
        assert books["accepted"] == len(mails)
        robots = "SELECT count(*) FROM messages WHERE kind <> 'message' AND ticket_id IS NOT NULL"
        assert chain.scalar(robots) == 0
        assert chain.scalar("SELECT count(*) FROM messages WHERE kind = 'message' AND ticket_id IS NULL") == 0
