"""What an operator asks for: bucket, records and index held against each other."""
