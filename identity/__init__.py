"""Who is it? Canonical handles, proofs, and a pure decision written in one transaction a batch."""
