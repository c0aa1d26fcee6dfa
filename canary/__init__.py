"""The ingestion canary: follows tagged events from HTTP through Kafka into ClickHouse."""

__version__ = "0.1.0"
