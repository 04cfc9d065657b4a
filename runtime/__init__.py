"""How stages are hosted: settings, hosts, Kafka, Postgres, clock, metrics, health, logs."""
