"""The web for generators: addresses that may be reached, and pages fetched from them within limits."""
