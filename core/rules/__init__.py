"""Pure functions that several stages and services need. No disk, no network, no clock."""
