"""What people do: each service is one noun of the menu. Screens, commands and the API call only these."""
