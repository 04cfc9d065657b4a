"""The only place that writes: Postgres, the relay to the public topics, the archive, dead letters."""
