"""Kafka: how it is reached, and the tape as messages of a topic."""
