"""The command line for people: `artifact-gateway artifact …` speaks to a gateway."""
