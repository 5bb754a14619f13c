"""What others would use for the same work; each module needs its own library, nothing here is imported by tickwax."""
