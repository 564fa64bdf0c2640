"""The Hypha door: what clients of hypha-rpc, and web applications written for Hypha, speak to."""
