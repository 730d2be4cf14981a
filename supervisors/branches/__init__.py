"""How registries ask for children: specs are made here, and sent to the right supervisor."""
