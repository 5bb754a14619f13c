"""Kafka as a sink: rows and tape batches as messages, confirmed."""
