"""The wire protocol: pure tests, with botocore and the specification's examples as oracles."""
