"""What the S3 door asks for: each effect of an operation, by the rules of the key's place."""
