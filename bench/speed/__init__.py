"""What the gateway costs beside other proxies: the same work, in one run, alternating."""
