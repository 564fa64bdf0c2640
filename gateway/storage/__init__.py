"""What the gateway keeps: the bucket, the records, the database."""
