"""What users of the gateway see, through real servers, clients and processes."""
