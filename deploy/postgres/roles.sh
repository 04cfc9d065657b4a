#!/bin/bash
# Run once by the Postgres image, on an empty data directory: gives the two roles of the migrations their passwords.
set -euo pipefail
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    -v app="$APP_PASSWORD" -v system="$SYSTEM_PASSWORD" <<'SQL'
CREATE ROLE frontdesk_app LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'app';
CREATE ROLE frontdesk_system LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'system';
SQL
