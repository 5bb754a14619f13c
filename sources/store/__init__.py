"""Object stores: paths of the form ``s3://bucket/prefix``, and the files that lie there."""
