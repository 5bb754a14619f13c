from tests.stores import bucket, s3, store  # noqa: F401
