"""The values of the domain: frozen, without behaviour that needs a store or the network."""
