"""The contract between engine, policies and backends."""
