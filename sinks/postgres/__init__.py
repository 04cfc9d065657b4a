"""Stores: SQL in `queries/*.sql`, one Python file a store."""
