"""What the gateway does, one verb each."""
